"""The models that plans name, fetched once for all fogs of the application."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from fogline.blocks import Vector
from fogline.kafka.clients import ClientConfig
from fogline.kafka.vectors import fetch_vector
from fogline.messages.weights import BlockedVector

# A train plan and the evaluation after it name three between them.
N_KEPT = 4


class ModelCache:
    """The last few models by digest; safe between threads.

    Parameters
    ----------
    on_fetched
        Is told how many bytes were fetched.
    """

    def __init__(self, config: ClientConfig, on_fetched: Callable[[int], None]) -> None:
        self._config, self._on_fetched = config, on_fetched
        self._models: OrderedDict[str, Vector] = OrderedDict()
        # Held while fetching: the other fogs wait for the one fetch rather than repeat it.
        self._lock = threading.Lock()

    def fetch(self, weights: BlockedVector) -> Vector:
        """Return a model's parameters, shape ``(n_parameters,)``, from Kafka if need be.

        Raises
        ------
        FoglineError
            A block is no longer on Kafka, or does not match its digest.
        """
        with self._lock:
            if weights.digest not in self._models:
                self._models[weights.digest] = fetch_vector(self._config, weights)
                self._on_fetched(sum(block.n_bytes for block in weights.blocks))
            self._models.move_to_end(weights.digest)
            while len(self._models) > N_KEPT:
                self._models.popitem(last=False)
            return self._models[weights.digest]
