"""A global model as a file: load it and predict from a DataFrame of readings.

>>> import fogline.model                                        # doctest: +SKIP
>>> model = fogline.model.load("models/3f2a….safetensors")       # doctest: +SKIP
>>> model.predict(dataframe)                                    # doctest: +SKIP
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from safetensors.numpy import save

from fogline import features
from fogline.blocks import Vector, vector_digest
from fogline.errors import FoglineError
from fogline.federation.settings import Specification
from fogline.messages.base import Message
from fogline.network import Network
from fogline.scaling import Scaler

Floats = npt.NDArray[np.float64]


class ModelFileError(FoglineError):
    """A file that holds no Fogline model."""


class Lineage(Message):
    """Where a model comes from."""

    federation: str
    branch: str
    plan_id: str
    base_digest: str | None
    seal_digest: str | None


@dataclass(frozen=True)
class GlobalModel:
    """Parameters with all that is needed to predict and to trace them.

    Attributes
    ----------
    parameters
        Shape ``(n_parameters,)``, float32.
    """

    parameters: Vector
    specification: Specification
    scaler: Scaler
    lineage: Lineage

    @property
    def digest(self) -> str:
        """The SHA-256 of the parameters' wire form."""
        return vector_digest(self.parameters)

    @property
    def path(self) -> str:
        """Where its file lies in the model store: with its plan, because another plan may give the same parameters."""
        return f"{self.lineage.plan_id}/{self.digest}.safetensors"

    @property
    def network(self) -> Network:
        """The network that the parameters belong to."""
        return Network(len(self.specification.features), self.specification.model)

    def predict(self, readings: pd.DataFrame) -> pd.Series:
        """Predict the target, in its own unit, for each reading.

        Parameters
        ----------
        readings
            Columns ``sensor_id``, ``event_time`` (with a zone, or UTC) and the fields.

        Returns
        -------
        pandas.Series
            Named by the target, indexed by ``(sensor_id, event_time)``, in that order.
        """
        table = features.compute(self._as_readings(readings), self.specification.features)
        columns = {name: features.column_values(table, name) for name in self.specification.features}
        scaled = self.network.predict(self.parameters.astype(np.float64), self.scaler.scale_inputs(columns))
        index = pd.MultiIndex.from_frame(table.select(list(features.KEY_COLUMNS)).to_pandas())
        return pd.Series(
            self.scaler.unscale_target(scaled),
            index=index,
            name=self.specification.target.name,
        )

    def _as_readings(self, readings: pd.DataFrame) -> pa.Table:
        wanted = features.reading_schema(list(self.specification.fields))
        absent = [name for name in features.KEY_COLUMNS if name not in readings]
        if absent:
            raise FoglineError(f"the readings lack the column {absent[0]}; add it")
        event_time = pd.to_datetime(readings["event_time"], utc=True).dt.tz_localize(None)
        frame = readings.reindex(columns=wanted.names).assign(event_time=event_time)
        return pa.Table.from_pandas(frame, schema=wanted, preserve_index=False)

    def to_bytes(self) -> bytes:
        """Serialise to the safetensors format: one tensor a layer, the rest as metadata."""
        tensors, at = {}, 0
        for name, shape in self.network.layer_names():
            size = int(np.prod(shape))
            tensors[name] = np.ascontiguousarray(self.parameters[at : at + size].reshape(shape))
            at += size
        metadata = {
            "format": "fogline-1",
            "specification": self.specification.model_dump_json(),
            "scaler": self.scaler.model_dump_json(),
            "lineage": self.lineage.model_dump_json(),
            "digest": self.digest,
        }
        return save(tensors, metadata)


def load(path: str | Path) -> GlobalModel:
    """Load a model file.

    Raises
    ------
    ModelFileError
        The file is no Fogline model, or its bytes are not those it was named by.
    """
    return from_bytes(Path(path).read_bytes(), str(path))


def from_bytes(data: bytes, place: str) -> GlobalModel:
    """Read a model from the bytes of its file; ``place`` names it in errors."""
    tensors, metadata = _parse(data, place)
    specification = Specification.model_validate_json(metadata["specification"])
    network = Network(len(specification.features), specification.model)
    flat = np.concatenate([tensors[name].reshape(-1) for name, _ in network.layer_names()]).astype(np.float32)
    model = GlobalModel(
        parameters=flat,
        specification=specification,
        scaler=Scaler.model_validate_json(metadata["scaler"]),
        lineage=Lineage.model_validate_json(metadata["lineage"]),
    )
    if model.digest != metadata["digest"]:
        raise ModelFileError(f"{place}: its parameters do not match its digest; fetch it again")
    return model


def _parse(data: bytes, place: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    # safetensors' own loaders drop the metadata when reading from bytes, so the header is read here: eight bytes of
    # little-endian length, then JSON (the format's specification).
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_tensors

    try:
        tensors = load_tensors(data)
    except SafetensorError as error:
        raise ModelFileError(f"{place}: is no safetensors file ({error})") from error
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = header.get("__metadata__", {})
    if metadata.get("format") != "fogline-1":
        raise ModelFileError(f"{place}: is no Fogline model; load a file from the model store")
    return tensors, metadata
