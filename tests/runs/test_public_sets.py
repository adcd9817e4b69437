"""Public sets by name: from a local folder with its sha256 checked, or converted from the authors' own files."""

import functools
import http.server
import sys
import threading

import polars as pl
import pytest

from moeconomics.errors import BadInput
from moeconomics.runs import load_public, load_runs, public, public_sets, read_runs
from moeconomics.runs.facts import catalogue


@pytest.fixture
def local(shared_folder, monkeypatch):
    folder = shared_folder / "data" / "losses"
    monkeypatch.setenv(public.FOLDER, str(folder))
    return folder


@pytest.fixture
def no_local(monkeypatch):
    monkeypatch.delenv(public.FOLDER, raising=False)


@pytest.mark.parametrize("name", public_sets())
def test_a_set_is_read_from_the_local_folder(local, name):
    runs = load_public(name)
    assert runs.height == public_sets()[name].rows
    assert runs.equals(read_runs(local / public_sets()[name].file))
    source = catalogue().sources[public_sets()[name].source]
    assert runs["licence"].unique().to_list() == [source.licence]
    assert load_runs(name).equals(runs)


def test_every_csv_of_the_folder_is_a_set(local):
    assert {path.name for path in local.glob("*.csv")} == {one.file for one in public_sets().values()}


def test_every_source_has_address_commit_and_licence():
    for source in catalogue().sources.values():
        assert source.repository.startswith("https://github.com/")
        assert len(source.commit) >= 12
        assert source.licence
    assert {one.source for one in public_sets().values()} == set(catalogue().sources)


def test_a_file_that_is_not_the_known_one_is_refused(local, tmp_path, monkeypatch):
    text = (local / "chinchilla_epoch.csv").read_text(encoding="utf-8")
    (tmp_path / "chinchilla_epoch.csv").write_text(text.replace("5.005582", "5.005583"), encoding="utf-8")
    monkeypatch.setenv(public.FOLDER, str(tmp_path))
    with pytest.raises(BadInput, match="is not the known chinchilla_epoch: sha256"):
        load_public("chinchilla_epoch")
    with pytest.raises(BadInput, match=r"gadre2024_overtraining.csv: No such file.*MOECONOMICS_DATA is the folder"):
        load_public("gadre2024_overtraining")


def test_an_unknown_name_is_answered_with_the_nearest():
    for load in (load_public, load_runs):
        with pytest.raises(BadInput, match="Did you mean 'chinchilla_epoch'"):
            load("chinchilla_epoc")


@pytest.mark.parametrize("name", ["clark2022_routed_final", "gadre2024_overtraining"])
@pytest.mark.usefixtures("no_local")
def test_an_original_that_can_not_be_converted_asks_for_the_folder(name):
    with pytest.raises(BadInput, match=f"set MOECONOMICS_DATA to the folder with {name}.csv"):
        load_public(name)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A web server in the place of GitHub, and an empty cache."""
    monkeypatch.delenv(public.FOLDER, raising=False)
    handler = functools.partial(_Quiet, directory=str(tmp_path / "web"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(
            public, "address", lambda source: f"http://127.0.0.1:{server.server_port}/{source.path.split('/')[-1]}"
        )
        monkeypatch.setenv("MOECONOMICS_CACHE", str(tmp_path / "cache"))
        (tmp_path / "web").mkdir()
        yield tmp_path / "web"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_chinchilla_is_fetched_and_converted(served, shared_folder):
    tidy = read_runs(shared_folder / "data" / "losses" / "chinchilla_epoch.csv")
    tidy.select(pl.col("n_params").alias("Model Size"), pl.col("flops").alias("Training FLOP"), "loss").write_csv(
        served / "svg_extracted_data.csv"
    )
    found = load_public("chinchilla_epoch")
    same = [name for name in tidy.columns if name != "tokens"]
    assert found.select(same).equals(tidy.select(same))
    # Three numbers rounded to eight digits: 3 times 5e-8 at most.
    assert ((found["tokens"] / tidy["tokens"] - 1).abs() < 1.5e-7).all()
    (served / "svg_extracted_data.csv").unlink()
    assert load_public("chinchilla_epoch").equals(found), "the second time from the cache"


def test_muennighoff_is_fetched_and_its_swapped_columns_put_right(served, shared_folder):
    tidy = read_runs(shared_folder / "data" / "losses" / "muennighoff2023_data_constrained.csv")
    tidy.select(
        pl.col("run_id").alias("id"), pl.col("n_params").alias("params"),
        pl.col("tokens").alias("unique_tokens"), pl.col("unique_tokens").alias("tokens"), "loss",
    ).write_csv(served / "data.csv")  # fmt: skip
    found = load_public("muennighoff2023_data_constrained")
    assert found.select(tidy.columns).equals(tidy)


def test_an_original_of_other_rows_or_columns_is_refused(served):
    (served / "svg_extracted_data.csv").write_text("Model Size,Training FLOP,loss\n1e9,1e20,3\n", encoding="utf-8")
    with pytest.raises(BadInput, match="1 rows, chinchilla_epoch has 245"):
        load_public("chinchilla_epoch")
    (served / "data.csv").write_text("id,params\na,1\n", encoding="utf-8")
    with pytest.raises(BadInput, match="has no column loss, tokens, unique_tokens: it is not the known original"):
        load_public("muennighoff2023_data_constrained")


@pytest.mark.usefixtures("served")
def test_a_network_or_a_pooch_that_is_not_there_is_answered_in_words(monkeypatch):
    with pytest.raises(BadInput, match=r"can not fetch http://127.0.0.1"):
        load_public("chinchilla_epoch")
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(BadInput, match=r"pip install 'moeconomics\[data\]'"):
        load_public("chinchilla_epoch")


def test_the_address_is_the_file_at_its_commit():
    source = catalogue().sources["huggingface/datablations"]
    assert public.address(source) == (
        "https://raw.githubusercontent.com/linhaowei1/SLD/bf7e8e332a1de86805373d565d460ebd1edfbf87/"
        "data/data_constrained_scaling_law/data.csv"
    )
