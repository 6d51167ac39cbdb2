"""The page in which a reader moves through a latent space: what Python writes into it."""

import base64
import json
import re

import numpy as np
import pytest

from demos import explore
from tinyae import Tensor, nn, ops

TEXTS = {"title": "Digits", "lead": "Two numbers each.", "caption": "Look."}
RNG = np.random.default_rng(0)


def dense(latent=2, size=6, channels=1, rng=RNG):
    shape = (size, size, channels)
    n = size * size * channels
    decoder = nn.Sequential(nn.Dense(latent, 20, rng=rng), ops.tanh, nn.Dense(20, n, rng=rng),
                            nn.Reshape(shape))
    return nn.Sequential(nn.Flatten(), nn.Dense(n, 2 * latent, rng=rng)), decoder


def convolutional(latent=5, rng=RNG):
    """Layers whose numbers for height and width differ, within another Sequential, too."""
    decoder = nn.Sequential(
        nn.Dense(latent, 4 * 3 * 6, rng=rng), ops.relu, nn.Reshape((4, 3, 6)),
        nn.Sequential(nn.ConvTranspose2d(6, 4, (3, 5), (2, 3), (1, 2), (1, 2), rng=rng), ops.sigmoid),
        nn.ConvTranspose2d(4, 3, 2, 2, rng=rng))
    encoder = nn.Sequential(nn.Conv2d(3, 4, (5, 3), (3, 2), (2, 1), rng=rng), ops.tanh, nn.Flatten(),
                            nn.Dense(6 * 9 * 4, latent, rng=rng))
    return encoder, decoder


def read(path):
    """The page's data, its arrays decoded."""
    text = path.read_text(encoding="utf-8")
    data, = re.findall(r'<script type="application/json" id="page">(.*?)</script>', text, re.DOTALL)
    return json.loads(data, object_hook=lambda d: floats(d["floats"]) if "floats" in d else d)


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def compute(network, x):
    """The forward pass, from the page's words alone, in sums over every tap of a kernel."""
    for layer in network:
        kind = layer["kind"]
        if kind == "dense":
            x = x @ layer["weight"].reshape(x.size, -1) + layer["bias"]
        elif kind in ("conv", "conv_transpose"):
            x = convolve(layer, x.reshape(layer["input"]), transposed=kind == "conv_transpose")
        else:
            x = {"reshape": lambda x: x, "relu": lambda x: np.maximum(x, 0), "tanh": np.tanh,
                 "sigmoid": lambda x: 1 / (1 + np.exp(-x))}[kind](x)
        x = x.reshape(layer["output"])
    return x


def convolve(layer, x, transposed):
    (kh, kw), (sh, sw), (ph, pw) = (layer[key] for key in ("kernel", "stride", "padding"))
    image, places = (layer["output"], layer["input"]) if transposed else (layer["input"], layer["output"])
    weight = layer["weight"].reshape(kh, kw, image[2], places[2])
    y = np.zeros(layer["output"]) + layer["bias"]
    for a, b, i, j in np.ndindex(*places[:2], kh, kw):
        row, column = sh * a + i - ph, sw * b + j - pw
        if 0 <= row < image[0] and 0 <= column < image[1]:
            if transposed:
                y[row, column] += weight[i, j] @ x[a, b]
            else:
                y[a, b] += x[row, column] @ weight[i, j]
    return y


@pytest.mark.parametrize("networks", [dense, convolutional])
@pytest.mark.parametrize("logits", [True, False])
def test_networks_in_the_page_compute_what_they_are(tmp_path, networks, logits):
    encoder, decoder = networks()
    for t in (*encoder.parameters(), *decoder.parameters()):
        t.data[...] = RNG.standard_normal(t.shape) / 3  # a bias of zeros would not be missed
    z = RNG.standard_normal(decoder.layers[0].weight.shape[0])
    image = decoder(Tensor(z[None]))
    image = ops.sigmoid(image) if logits else image
    page = read(explore.write(tmp_path / "e.html", decoder, encoder=encoder, logits=logits,
                              start=image.numpy(), **TEXTS))
    np.testing.assert_allclose(compute(page["decoder"], z), image.numpy()[0], atol=1e-5)
    code = compute(page["encoder"], image.numpy()[0])
    np.testing.assert_allclose(code, encoder(image).numpy()[0], atol=1e-5)
    assert len(page["examples"]) == 2
    for example in page["examples"]:  # those on which the page checks itself
        image = compute(page["decoder"], example["z"])
        np.testing.assert_allclose(image.ravel(), example["image"], atol=1e-5)
        code = compute(page["encoder"], example["image"].reshape(page["shape"]))
        np.testing.assert_allclose(code[:page["latent"]], example["code"], atol=1e-5)


def test_weights_are_kept_to_the_bit(tmp_path):
    _, decoder = dense()
    page = read(explore.write(tmp_path / "e.html", decoder, **TEXTS))
    assert [layer["kind"] for layer in page["decoder"]] == ["dense", "tanh", "dense", "reshape"]
    np.testing.assert_array_equal(page["decoder"][2]["weight"], decoder.layers[2].weight.numpy().ravel())
    assert "encoder" not in page and "start" not in page


def test_one_file_without_a_network(tmp_path):
    encoder, decoder = dense()
    path = explore.write(tmp_path / "e.html", decoder, encoder=encoder, **TEXTS)
    text = path.read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["e.html"]
    outside = re.sub(r'id="page">.*?</script>', "", text, flags=re.DOTALL)  # base64 may spell anything
    for reference in (r"https?:", r"//\w+\.\w", r"\bsrc=", r"\bhref=", r"\burl\(", r"\bimport\b",
                      r"\bfetch\b", "XMLHttpRequest", "WebSocket"):
        assert not re.search(reference, outside), reference
    assert "default-src 'none'" in text and "{{" not in text


def test_texts_stay_texts(tmp_path):
    _, decoder = dense(latent=3)
    nasty = '</script><script>alert("1 & 2")</script>{{page}}'
    path = explore.write(tmp_path / "e.html", decoder, title=nasty, lead=nasty, caption=nasty,
                         directions={nasty: (np.ones(3), -1, 1)})
    text = path.read_text(encoding="utf-8")
    assert text.count("<script") == 2 and text.count("</script>") == 2
    assert text.count("&lt;/script&gt;&lt;script&gt;alert(&quot;1 &amp; 2&quot;)") == 4  # twice the title
    assert read(path)["directions"][0]["name"] == nasty


def test_sheet(tmp_path):
    _, decoder = dense()
    codes = np.concatenate([RNG.normal((mean, 0), (1, 0.1), (50, 2)) for mean in (5, 8)])
    labels = np.repeat(["seven", "one"], 50)
    page = read(explore.write(tmp_path / "e.html", decoder, codes=codes, labels=labels, **TEXTS))
    np.testing.assert_allclose(page["codes"].reshape(-1, 2), codes, rtol=1e-6, atol=1e-6)
    assert [page["names"][i] for i in page["labels"]] == labels.tolist()
    assert len(page["colours"]) == 2 and len(set(page["colours"])) == 2
    (left, right), (low, high) = page["ranges"]
    assert right - left == pytest.approx(high - low)  # a circle is a circle
    inside = (codes[:, 0] > left) & (codes[:, 0] < right) & (codes[:, 1] > low) & (codes[:, 1] < high)
    assert inside.mean() > 0.97
    np.testing.assert_allclose(page["examples"][0]["z"], codes[0], rtol=1e-6)  # where the reader begins


def test_ranges_without_codes_or_of_equal_ones(tmp_path):
    _, decoder = dense(latent=3)
    page = read(explore.write(tmp_path / "e.html", decoder, **TEXTS))
    assert page["ranges"] == [[-3, 3]] * 3 and "codes" not in page
    page = read(explore.write(tmp_path / "e.html", decoder, codes=np.full((4, 3), 2.0), **TEXTS))
    assert page["ranges"] == [[-1, 5]] * 3


def test_directions_and_images_to_begin_with(tmp_path):
    encoder, decoder = dense(latent=3, channels=3)
    faces = RNG.random((4, 6, 6, 3))
    page = read(explore.write(tmp_path / "e.html", decoder, encoder=encoder, start=faces,
                              directions={"smile": ([0, 1, 0], -1, 2), "hat": ([1, 0, 0], 0, 1)}, **TEXTS))
    assert [(d["name"], d["range"]) for d in page["directions"]] == [("smile", [-1, 2]), ("hat", [0, 1])]
    np.testing.assert_array_equal(page["directions"][0]["vector"], [0, 1, 0])
    np.testing.assert_allclose(np.stack(page["start"]).reshape(faces.shape), faces, rtol=1e-6)


class Square(nn.Module):
    def __call__(self, x):
        return x * x


@pytest.mark.parametrize("layer, name", [
    (nn.BatchNorm(20), r"BatchNorm\(20\)"), (ops.softplus, "softplus"), (Square(), r"Square\(\)"),
])
def test_layers_that_the_page_cannot_compute(tmp_path, layer, name):
    first, last = nn.Dense(2, 20, rng=RNG), nn.Dense(20, 36, rng=RNG)
    decoder = nn.Sequential(first, nn.Sequential(layer), last, nn.Reshape((6, 6, 1)))
    with pytest.raises(TypeError, match=f"the decoder has the layer {name}, .* it knows Dense, Conv2d"):
        explore.write(tmp_path / "e.html", decoder, **TEXTS)
    encoder = nn.Sequential(nn.Flatten(), nn.Dense(36, 20, rng=RNG), layer)
    with pytest.raises(TypeError, match=f"the encoder has the layer {name}"):
        explore.write(tmp_path / "e.html", dense()[1], encoder=encoder, **TEXTS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("decoder", [
    None, nn.Dense(2, 3, rng=RNG), nn.Sequential(nn.Flatten()), nn.Sequential(),
])
def test_decoders_that_do_not_begin_with_a_dense_layer(tmp_path, decoder):
    with pytest.raises(TypeError, match="must be a Sequential that begins with a Dense layer"):
        explore.write(tmp_path / "e.html", decoder, **TEXTS)


@pytest.mark.parametrize("arguments, message", [
    ({"codes": np.zeros((5, 3))}, r"codes .* shape \(N, 2\), got the shape \(5, 3\)"),
    ({"codes": np.zeros((0, 2))}, r"codes .* got the shape \(0, 2\)"),
    ({"codes": np.array([[0, np.nan]])}, "codes must be finite"),
    ({"labels": [1, 2]}, r"labels \(2,\) must be one for each of the codes None"),
    ({"codes": np.zeros((3, 2)), "labels": [1, 2]}, r"labels \(2,\) .* codes \(3, 2\)"),
    ({"codes": np.zeros((11, 2)), "labels": range(11)}, "at most 10 kinds .* not 11"),
    ({"directions": {"smile": [1, 2]}}, r"'smile' must be \(vector, low, high\), not \[1, 2\]"),
    ({"directions": {"smile": ([1, 2, 3], -1, 1)}}, r"'smile' .* shape \(2\), got the shape \(3,\)"),
    ({"directions": {"smile": ([1, 2], 1, 2)}}, r"range .* 'smile' must contain 0, not be \(1, 2\)"),
    ({"directions": {"smile": ([1, 2], 0, np.inf)}}, "must contain 0"),
    ({"directions": {"smile": ([1, 2], 0, 0)}}, "must contain 0"),
    ({"start": np.zeros((2, 6, 6, 1))}, "need an encoder"),
    ({"encoder": nn.Sequential(nn.Flatten())}, r"codes \(N, 2\) or \(N, 4\), not \(2, 36\)"),
    ({"start": np.zeros((2, 6, 6, 3)), "encoder": dense()[0]},
     r"start .* shape \(N, 6, 6, 1\), got .* \(2, 6, 6, 3\)"),
    ({"encoder": nn.Sequential(nn.Flatten(), nn.Dense(36, 3, rng=RNG))},
     r"codes \(N, 2\) or \(N, 4\), not \(2, 3\)"),
    ({"encoder": nn.Sequential(nn.Flatten(), nn.Dense(49, 2, rng=RNG))}, r"\(N, 49\), got \(2, 36\)"),
])
def test_arguments_that_do_not_fit(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        explore.write(tmp_path / "e.html", dense()[1], **arguments, **TEXTS)
    assert not list(tmp_path.iterdir())


def test_colour_images_cannot_be_drawn(tmp_path):
    encoder, decoder = dense(channels=3)
    with pytest.raises(ValueError, match="colour images needs images to start from"):
        explore.write(tmp_path / "e.html", decoder, encoder=encoder, **TEXTS)


def test_outputs_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match=r"images \(N, H, W, 1 or 3\), not \(2, 36\)"):
        explore.write(tmp_path / "e.html", nn.Sequential(nn.Dense(2, 36, rng=RNG)), **TEXTS)
    with pytest.raises(ValueError, match=r"not \(2, 6, 6, 2\)"):
        explore.write(tmp_path / "e.html", dense(channels=2)[1], **TEXTS)
    _, decoder = dense()
    decoder.layers[0].bias.data[3] = np.nan
    with pytest.raises(ValueError, match="the decoder gives numbers that are not finite"):
        explore.write(tmp_path / "e.html", decoder, **TEXTS)


def test_size(tmp_path):
    """The usual networks fit into 6 MB, and larger ones are refused before an older page is lost."""
    def networks(hidden):
        encoder = nn.Sequential(nn.Flatten(), nn.Dense(784, hidden, rng=RNG), nn.Dense(hidden, 4, rng=RNG))
        return encoder, nn.Sequential(nn.Dense(2, hidden, rng=RNG), nn.Dense(hidden, 784, rng=RNG),
                                      nn.Reshape((28, 28, 1)))

    encoder, decoder = networks(400)
    path = explore.write(tmp_path / "e.html", decoder, encoder=encoder, codes=RNG.random((2000, 2)), **TEXTS)
    before = path.read_bytes()
    assert len(before) < 4e6
    with pytest.raises(ValueError, match=r"would have 8\.4 MB, more than 6: take smaller networks"):
        explore.write(path, networks(2000)[1], **TEXTS)
    assert path.read_bytes() == before


def template():
    """The page's style, the rest of its HTML, and its script."""
    text = explore.TEMPLATE.read_text(encoding="utf-8")
    return re.fullmatch(r"(.*?)<script type.*?<script>(.*?)</script>.*", text, re.DOTALL).groups()


def test_words_and_the_ring_of_the_focus_stand_out():
    colours = dict(re.findall(r"--(\w+): (#\w{6});", template()[0]))
    ring, = re.findall(r":focus-visible { outline: 3px solid (#\w{6});", template()[0])
    for colour, least in ((colours["text"], 4.5), (colours["soft"], 4.5), (ring, 3), (colours["mark"], 3)):
        assert contrast(colour, colours["paper"]) >= least and contrast(colour, "#ffffff") >= least


def contrast(a, b):
    """The contrast of two colours as the Web Content Accessibility Guidelines (2.2) define it."""
    def luminance(colour):
        rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_what_the_script_looks_for_is_there_and_has_a_name():
    body, script = template()
    ids = re.findall(r'\bid="(\w+)"', body)
    assert len(ids) == len(set(ids)) and set(re.findall(r'element\("(\w+)"\)', script)) <= set(ids)
    for tag in re.findall(r"<[^>]*\brole=[^>]*>", body):
        assert "aria-label=" in tag, tag
