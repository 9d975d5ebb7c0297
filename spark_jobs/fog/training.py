"""Local training: minibatch SGD in float64, the same bytes for the same rows, parameters and seed."""

import numpy as np
import numpy.typing as npt

from fogline.canonical import sha256_hex
from fogline.federation.settings import Training
from fogline.network import Layer, Network

Floats = npt.NDArray[np.float64]


def round_seed(seed: int, interval: int, fog: str) -> int:
    """Return the seed of a fog's training in a round; no process or platform changes it."""
    return int(sha256_hex(f"{seed}/{interval}/{fog}".encode())[:16], 16)


def train(
    network: Network, parameters: Floats, inputs: Floats, target: Floats, training: Training, seed: int
) -> Floats:
    """Train by SGD and return the new parameters, shape ``(n_parameters,)``.

    The loss is half the mean squared error for regression and the mean cross entropy of the softmax for classification.

    Parameters
    ----------
    parameters
        Shape ``(n_parameters,)``; not changed.
    inputs
        Scaled features, shape ``(n, n_features)``.
    target
        Scaled targets or class numbers, shape ``(n,)``.
    """
    parameters = parameters.copy()
    gradient = np.empty_like(parameters)
    layers, gradients = network.layers(parameters), network.layers(gradient)
    target_matrix = _target_matrix(network, target)
    rng = np.random.default_rng(seed)
    n, size = inputs.shape[0], min(training.batch_size, inputs.shape[0])
    rates = iter(learning_rates(training, training.epochs * -(-n // size)))
    with np.errstate(all="ignore"):
        for _ in range(training.epochs):
            order = rng.permutation(n)
            for at in range(0, n, size):
                rows = order[at : at + size]
                backpropagate(network.task, layers, gradients, inputs[rows], target_matrix[rows])
                gradient *= next(rates)
                parameters -= gradient
    return parameters


def learning_rates(training: Training, n_steps: int) -> list[float]:
    """Return the learning rate of each local step: constant, then falling linearly towards zero."""
    left = 1.0 - np.arange(n_steps) / n_steps
    falling = left / (1.0 - training.decay_from) if training.decay_from < 1 else np.ones(n_steps)
    rates: list[float] = (training.learning_rate * np.minimum(1.0, falling)).tolist()
    return rates


def backpropagate(task: str, layers: list[Layer], gradients: list[Layer], inputs: Floats, target: Floats) -> None:
    """Write the loss' gradient on a batch into ``gradients``.

    Parameters
    ----------
    target
        Shape ``(n, n_outputs)``; for classification one-hot.
    """
    activations = [inputs]
    values = inputs
    last = len(layers) - 1
    for number, (weights, bias) in enumerate(layers):
        values = values @ weights
        values += bias
        if number < last:
            np.maximum(values, 0.0, out=values)
        activations.append(values)
    delta = _softmax(values) if task == "classification" else values
    # In place is safe: the outputs themselves are not needed again.
    delta -= target
    delta /= inputs.shape[0]
    for number in range(last, -1, -1):
        weights_gradient, bias_gradient = gradients[number]
        np.matmul(activations[number].T, delta, out=weights_gradient)
        np.add.reduce(delta, axis=0, out=bias_gradient)
        if number:
            delta = delta @ layers[number][0].T
            delta *= activations[number] > 0


def _softmax(values: Floats) -> Floats:
    values -= values.max(axis=1, keepdims=True)
    np.exp(values, out=values)
    values /= values.sum(axis=1, keepdims=True)
    return values


def _target_matrix(network: Network, target: Floats) -> Floats:
    if network.task == "regression":
        return target[:, None]
    return np.eye(network.shapes[-1][1])[target.astype(np.int64)]
