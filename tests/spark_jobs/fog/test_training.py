"""Local SGD: right gradients, known solutions, the same bytes each time."""

import numpy as np
import numpy.typing as npt
import pytest

from fogline.federation.settings import Model, Training
from fogline.network import Network
from spark_jobs.fog.training import backpropagate, learning_rates, round_seed, train

Floats = npt.NDArray[np.float64]
REGRESSION = Model(kind="mlp", hidden=(5, 4))
CLASSES = Model(kind="mlp", task="classification", hidden=(5,), n_classes=3)


def loss(network: Network, parameters: Floats, inputs: Floats, target: Floats) -> float:
    outputs = network.forward(parameters, inputs)
    if network.task == "regression":
        return float(0.5 * np.mean((outputs - target) ** 2))
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-np.mean((log_probabilities * target).sum(axis=1)))


@pytest.mark.parametrize("model", [REGRESSION, CLASSES, Model(kind="linear")])
def test_the_gradient_is_the_losss(model: Model) -> None:
    rng = np.random.default_rng(3)
    network = Network(4, model)
    parameters = rng.normal(size=network.n_parameters)
    inputs = rng.normal(size=(7, 4))
    target = np.eye(3)[rng.integers(0, 3, 7)] if model.task == "classification" else rng.normal(size=(7, 1))
    gradient = np.empty_like(parameters)
    backpropagate(network.task, network.layers(parameters), network.layers(gradient), inputs, target)
    step = 1e-6
    numerical = [
        (
            loss(network, parameters + step * unit, inputs, target)
            - loss(network, parameters - step * unit, inputs, target)
        )
        / (2 * step)
        for unit in np.eye(parameters.size)
    ]
    np.testing.assert_allclose(gradient, numerical, rtol=1e-5, atol=1e-8)


def test_linear_regression_finds_the_line() -> None:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(500, 2))
    target = inputs @ [2.0, -3.0] + 0.5
    network = Network(2, Model(kind="linear"))
    trained = train(
        network, network.initial(0), inputs, target, Training(epochs=40, batch_size=16, learning_rate=0.1), 7
    )
    np.testing.assert_allclose(trained, [2.0, -3.0, 0.5], atol=1e-6)


def test_logistic_regression_separates_classes() -> None:
    rng = np.random.default_rng(1)
    centres = np.array([[0.0, 4.0], [4.0, 0.0], [-4.0, -4.0]])
    classes = rng.integers(0, 3, 600)
    inputs = centres[classes] + rng.normal(size=(600, 2))
    network = Network(2, Model(kind="logistic", task="classification", n_classes=3))
    training = Training(epochs=20, batch_size=32, learning_rate=0.1)
    trained = train(network, network.initial(0), inputs, classes.astype(np.float64), training, 7)
    assert np.mean(network.predict(trained, inputs) == classes) > 0.98


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    rng = np.random.default_rng(1)
    inputs, target = rng.normal(size=(100, 4)), rng.normal(size=100)
    network = Network(4, REGRESSION)
    base = network.initial(5)
    before = base.copy()
    training = Training(epochs=2, batch_size=8, learning_rate=0.05)
    first, second, other = (train(network, base, inputs, target, training, seed) for seed in (1, 1, 2))
    assert first.tobytes() == second.tobytes() != other.tobytes()
    assert base.tobytes() == before.tobytes()


def test_fewer_rows_than_a_batch_are_one_batch() -> None:
    network = Network(1, Model(kind="linear"))
    training = Training(epochs=1, batch_size=64, learning_rate=1.0)
    trained = train(network, np.zeros(2), np.array([[1.0], [-1.0]]), np.array([1.0, -1.0]), training, 0)
    np.testing.assert_allclose(trained, [1.0, 0.0])


def test_a_rounds_seed_is_the_same_everywhere() -> None:
    assert round_seed(1, 0, "fog-1") == 11819589294339596335
    assert len({round_seed(1, 0, "fog-1"), round_seed(1, 0, "fog-2"), round_seed(1, 1, "fog-1")}) == 3


def test_the_learning_rate_is_constant_and_then_falls_linearly_towards_zero() -> None:
    training = Training(epochs=1, batch_size=1, learning_rate=0.4)
    assert learning_rates(training, 4) == [0.4] * 4
    falling = learning_rates(training.model_copy(update={"decay_from": 0.5}), 4)
    np.testing.assert_allclose(falling, [0.4, 0.4, 0.4, 0.2])
    from_the_start = learning_rates(training.model_copy(update={"decay_from": 0.0}), 4)
    np.testing.assert_allclose(from_the_start, [0.4, 0.3, 0.2, 0.1])
