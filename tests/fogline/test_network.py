import numpy as np
import pytest

from fogline.federation.settings import Model
from fogline.network import Network


def test_the_wind_farms_network_has_769_parameters() -> None:
    assert Network(6, Model(kind="mlp", hidden=(32, 16))).n_parameters == 769


def test_forward_is_the_formula() -> None:
    network = Network(2, Model(kind="mlp", hidden=(3,)))
    rng = np.random.default_rng(0)
    parameters, inputs = rng.normal(size=network.n_parameters), rng.normal(size=(5, 2))
    (w0, b0), (w1, b1) = network.layers(parameters)
    assert network.forward(parameters, inputs) == pytest.approx(np.maximum(inputs @ w0 + b0, 0) @ w1 + b1)


def test_initial_weights_depend_on_the_seed_alone() -> None:
    network = Network(6, Model(kind="mlp", hidden=(32, 16)))
    assert np.array_equal(network.initial(1), network.initial(1))
    assert not np.array_equal(network.initial(1), network.initial(2))
    assert not Network(6, Model(kind="linear")).initial(1).any()


def test_initial_weights_are_within_one_over_the_square_root_of_the_inputs() -> None:
    network = Network(4, Model(kind="mlp", hidden=(100,)))
    (first, bias), (second, _) = network.layers(network.initial(3))
    assert 0.45 < np.abs(first).max() < 0.5 and np.abs(bias).max() < 0.5
    assert 0.09 < np.abs(second).max() < 0.1


def test_layer_names_cover_the_flat_vector() -> None:
    network = Network(2, Model(kind="logistic", task="classification", n_classes=4))
    assert network.layer_names() == [("layer0.weights", (2, 4)), ("layer0.bias", (4,))]
    assert sum(int(np.prod(shape)) for _, shape in network.layer_names()) == network.n_parameters
