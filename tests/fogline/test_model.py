from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fogline.model
from fogline.model import GlobalModel, Lineage, ModelFileError
from fogline.scaling import Scale, Scaler
from tests.support.federations import small_federation


@pytest.fixture
def model(tmp_path: Path) -> GlobalModel:
    return GlobalModel(
        parameters=np.array([2.0, 0.5], np.float32),
        specification=small_federation(tmp_path).specification(),
        scaler=Scaler(features={"x": Scale(mean=1.0, sd=2.0)}, target=Scale(mean=10.0, sd=5.0)),
        lineage=Lineage(federation="small", branch="main", plan_id="p", base_digest=None, seal_digest=None),
    )


def test_three_lines_load_and_predict(model: GlobalModel, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(model.to_bytes())
    dataframe = pd.DataFrame({"sensor_id": "s1", "event_time": ["2024-01-01T00:10Z", "2024-01-01T00:00Z"], "x": [3, 1]})
    predicted = fogline.model.load(tmp_path / "model.safetensors").predict(dataframe)
    assert predicted.name == "y"
    assert predicted.tolist() == pytest.approx([10 + 5 * 0.5, 10 + 5 * (2 * 1.0 + 0.5)])


def test_a_missing_value_counts_as_the_federated_mean(model: GlobalModel) -> None:
    dataframe = pd.DataFrame({"sensor_id": ["s1"], "event_time": ["2024-01-01T00:00Z"], "x": [None]})
    assert model.predict(dataframe).tolist() == pytest.approx([12.5])


def test_the_file_holds_what_the_model_is(model: GlobalModel) -> None:
    again = fogline.model.from_bytes(model.to_bytes(), "here")
    assert again.digest == model.digest
    assert (again.specification, again.scaler, again.lineage) == (model.specification, model.scaler, model.lineage)


def test_other_files_and_changed_ones_are_refused(model: GlobalModel, tmp_path: Path) -> None:
    data = bytearray(model.to_bytes())
    data[-1] ^= 1
    with pytest.raises(ModelFileError, match="do not match"):
        fogline.model.from_bytes(bytes(data), "here")
    with pytest.raises(ModelFileError, match="is no safetensors file"):
        fogline.model.from_bytes(b"hello", "here")
