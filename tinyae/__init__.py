from . import data, losses, models, nn, ops, optim, sampling
from .autodiff import Tensor, grad, no_grad, primitive
from .gradcheck import GradientError, NotDifferentiable, gradcheck
