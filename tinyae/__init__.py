from . import corruption, data, distributions, losses, models, nn, ops, optim, penalties
from .autodiff import Tensor, changed, grad, no_grad, primitive
from .backend import device_module as device
from .gradcheck import GradientError, NotDifferentiable, gradcheck
from .jacobian import jacobian

__version__ = "0.1.0"
