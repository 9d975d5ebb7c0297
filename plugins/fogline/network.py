"""The models' shape and forward pass over one flat parameter vector: linear, logistic and MLP are one family."""

import itertools
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from fogline.federation.settings import Model

Floats = npt.NDArray[np.float64]
Layer = tuple[Floats, Floats]


class Network:
    """A feed-forward network with ReLU between layers; without hidden layers it is linear or logistic regression.

    Parameters
    ----------
    n_features
        Width of the input.
    model
        Kind, task and hidden sizes from the federation file.
    """

    def __init__(self, n_features: int, model: "Model") -> None:
        self.task = model.task
        sizes = [n_features, *model.hidden, model.n_classes or 1]
        self.shapes = list(itertools.pairwise(sizes))
        self.n_parameters = sum(n_in * n_out + n_out for n_in, n_out in self.shapes)

    def layers(self, parameters: Floats) -> list[Layer]:
        """View a flat vector of shape ``(n_parameters,)`` as ``(weights (n_in, n_out), bias (n_out,))`` per layer."""
        views, at = [], 0
        for n_in, n_out in self.shapes:
            bias_at = at + n_in * n_out
            views.append(
                (
                    parameters[at:bias_at].reshape(n_in, n_out),
                    parameters[bias_at : bias_at + n_out],
                )
            )
            at = bias_at + n_out
        return views

    def layer_names(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return the tensors' names and shapes in the order in which they lie in the flat vector."""
        named: list[tuple[str, tuple[int, ...]]] = []
        for number, (n_in, n_out) in enumerate(self.shapes):
            named += [
                (f"layer{number}.weights", (n_in, n_out)),
                (f"layer{number}.bias", (n_out,)),
            ]
        return named

    def initial(self, seed: int) -> Floats:
        """Draw seeded first parameters; zeros where there are no hidden layers, because that problem is convex.

        Weights and biases are uniform within one over the square root of a layer's inputs, as PyTorch's linear layers
        begin (LeCun et al. 1998, section 4.6, gives the scale). On the wind farm the larger normal weights of He et al.
        (2015, eq. 10) train worse and leave more to the seed: see benchmarks/accuracy.py.
        """
        parameters = np.zeros(self.n_parameters)
        if len(self.shapes) > 1:
            rng = np.random.default_rng(seed)
            for weights, bias in self.layers(parameters):
                limit = 1.0 / np.sqrt(weights.shape[0])
                weights[...] = rng.uniform(-limit, limit, weights.shape)
                bias[...] = rng.uniform(-limit, limit, bias.shape)
        return parameters

    def forward(self, parameters: Floats, inputs: Floats) -> Floats:
        """Return the outputs, shape ``(n, n_outputs)``, of inputs of shape ``(n, n_features)``."""
        values = inputs
        layers = self.layers(parameters)
        for number, (weights, bias) in enumerate(layers):
            values = values @ weights + bias
            if number < len(layers) - 1:
                np.maximum(values, 0.0, out=values)
        return values

    def predict(self, parameters: Floats, inputs: Floats) -> Floats:
        """Return one prediction a row, shape ``(n,)``: the (scaled) value, or the number of the likeliest class."""
        outputs = self.forward(parameters, inputs)
        return outputs[:, 0] if self.task == "regression" else outputs.argmax(axis=1).astype(np.float64)
