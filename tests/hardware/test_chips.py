import csv
import re

import pytest

from moeconomics.errors import BadInput
from moeconomics.hardware import Chip, get_chip, load_chips

PRICES = ("rental", "tco_neocloud", "tco_hyperscaler")
ALL_PRICES = tuple(f"usd_per_hour.{kind}" for kind in PRICES)
# The column unverified_fields of hardware.csv is prose: this is what it says, as field paths.
UNVERIFIED = {
    "rental price (guess below A100-80)": ("usd_per_hour.rental",),
    "price": ALL_PRICES,
    "usable HBM nearer 185 GB": ("bytes_memory",),
    "tdp; price": ("watts_tdp", *ALL_PRICES),
    "rental price": ("usd_per_hour.rental",),
    "fp8 330 (FP32-accumulate figure), int8, rental price": (
        "flops_per_s.fp8",
        "flops_per_s.int8",
        "usd_per_hour.rental",
    ),
    "tdp": ("watts_tdp",),
    "price (list, from memory)": ("usd_per_hour.rental",),
    "tdp and price not published": (),
    "NeuronLink (1.28 TB/s both directions assumed), EFA per chip, tdp": (
        "bytes_per_s_link",
        "bytes_per_s_scaleout",
        "watts_tdp",
    ),
    "": (),
}
OWN = """
flops_per_s: {bf16: 312e12}
bytes_memory: 40e9
bytes_per_s_memory: 1555e9
bytes_per_s_link: 300e9
link: NVLink
link_domain: 8
source_spec: {text: data sheet, date: 2026-11-24}
"""


@pytest.fixture
def csv_rows(shared_folder):
    with (shared_folder / "data" / "serving" / "hardware.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def figure(text, scale=1.0):
    return pytest.approx(float(text) * scale, rel=1e-12) if text else None


def write(tmp_path, text, name="mine.yaml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def refusal(tmp_path, text):
    path = write(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        get_chip(path)
    message = str(caught.value)
    assert path in message
    assert "pydantic" not in message
    return message


def test_the_catalogue_has_the_chips_of_the_csv_and_no_others(csv_rows):
    assert set(load_chips()) == {row["name"] for row in csv_rows}
    assert len(load_chips()) == 19


def test_every_figure_is_that_of_the_csv(csv_rows):
    for row in csv_rows:
        chip = get_chip(row["name"])
        columns = {
            "bf16": "bf16_dense_tflops",
            "fp8": "fp8_dense_tflops",
            "fp4": "fp4_dense_tflops",
            "int8": "int8_dense_tops",
        }
        rates = {dtype: figure(row[column], 1e12) for dtype, column in columns.items() if row[column]}
        assert chip.flops_per_s == rates, chip.name
        assert chip.bytes_memory == figure(row["hbm_gb"], 1e9)
        assert chip.bytes_per_s_memory == figure(row["hbm_gbps"], 1e9)
        assert chip.bytes_per_s_link == figure(row["scaleup_gbps_per_gpu_unidirectional"], 1e9)
        assert chip.bytes_per_s_scaleout == figure(row["scaleout_gbps_per_gpu"], 1e9)
        assert chip.watts_tdp == figure(row["tdp_w"])


def test_every_price_is_that_of_the_csv(csv_rows):
    for row in csv_rows:
        chip = get_chip(row["name"])
        given = {kind: row[f"usd_per_gpu_hour_{kind}"] for kind in PRICES if row[f"usd_per_gpu_hour_{kind}"]}
        assert set(chip.usd_per_hour) == set(given), chip.name
        for kind, text in given.items():
            band = [float(part) for part in text.split("-")]
            price = chip.price(kind)
            assert (price.low, price.high) == (band[0], band[-1])
            assert price.usd_per_gpu_hour == pytest.approx((band[0] + band[-1]) / 2)
            assert row["source_price"] in price.source
            assert price.date in price.source


def test_domains_are_those_of_the_csv_and_8_assumed_for_pcie_cards(csv_rows):
    for row in csv_rows:
        chip = get_chip(row["name"])
        if "PCIe" in row["scaleup_domain"]:
            assert chip.link in {"PCIe 4", "PCIe 5"}
            assert chip.link_domain == 8
            assert chip.is_unverified("link_domain")
        else:
            assert chip.link_domain == int(re.match(r"\d+", row["scaleup_domain"]).group())
            assert not chip.is_unverified("link_domain")


def test_what_the_csv_calls_unverified_is_marked_and_nothing_else(csv_rows):
    for row in csv_rows:
        assumed = {"link_domain"} if "PCIe" in row["scaleup_domain"] else set()
        assert set(get_chip(row["name"]).unverified) == set(UNVERIFIED[row["unverified_fields"]]) | assumed, row["name"]


def test_every_chip_has_dated_sources(csv_rows):
    for row in csv_rows:
        chip = get_chip(row["name"])
        assert chip.source_spec.text == row["source_spec"]
        assert re.search(r"20\d\d-\d\d", chip.source_spec.date)
        assert (chip.source_price is None) == (not chip.usd_per_hour)


def test_known_answers():
    a100 = get_chip("A100-SXM-40GB")
    assert a100.flops("bf16") == 312e12
    assert a100.bytes_memory == 40e9
    assert not a100.price().verified
    assert get_chip("A100-SXM-80GB").price().usd_per_gpu_hour == pytest.approx(1.30)
    h100 = get_chip("H100-SXM-80GB").price("tco_neocloud")
    assert (h100.usd_per_gpu_hour, h100.kind, h100.date, h100.verified) == (1.69, "tco_neocloud", "2026-04", True)
    assert get_chip("GB200-NVL72").link_domain == 72
    assert not get_chip("RTX4090").price().verified


@pytest.mark.parametrize("dtype", ["fp8", "fp4", "fp32"])
def test_a_rate_that_is_not_known_is_not_made_up(dtype):
    with pytest.raises(BadInput, match=rf"A100-SXM-40GB has no {dtype} rate.*bf16, int8"):
        get_chip("A100-SXM-40GB").flops(dtype)


def test_default_price_is_rental_then_neocloud_then_hyperscaler(tmp_path):
    priced = OWN + "source_price: {text: offer, date: 2026}\nusd_per_hour: {tco_hyperscaler: 1, tco_neocloud: 2}\n"
    chip = get_chip(write(tmp_path, priced))
    assert chip.price().kind == "tco_neocloud"
    assert chip.price("tco_hyperscaler").usd_per_gpu_hour == 1
    assert get_chip("B200-SXM-180GB").price().kind == "rental"


@pytest.mark.parametrize("name", ["TPU-v7-Ironwood", "RTX-PRO-6000-Server", "Trainium2"])
def test_a_missing_price_says_what_to_do(name):
    with pytest.raises(BadInput, match=f"no price for {name}; give --usd-per-gpu-hour"):
        get_chip(name).price()


def test_a_missing_kind_of_price_names_those_there_are():
    with pytest.raises(BadInput, match=r"no tco_neocloud price for TPU-v5e \(there are: rental\)"):
        get_chip("TPU-v5e").price("tco_neocloud")


def test_names_are_found_in_any_case_and_the_nearest_is_named():
    assert get_chip("h100-sxm-80gb") is get_chip("H100-SXM-80GB")
    with pytest.raises(BadInput, match=r"unknown chip 'H100-SXM-8OGB'\. Did you mean 'H100-SXM-80GB'"):
        get_chip("H100-SXM-8OGB")


def test_ones_own_chip_is_read_from_a_file(tmp_path):
    chip = get_chip(write(tmp_path, OWN, "Mine.YAML"))
    assert chip.name == "Mine"
    assert chip.flops("bf16") == 312e12  # YAML reads 312e12 as text
    assert chip.source_spec.date == "2026-11-24"
    assert (chip.watts_tdp, chip.bytes_per_s_scaleout, chip.usd_per_hour) == (None, None, {})
    assert get_chip(write(tmp_path, OWN + "name: 4090")).name == "4090"


def test_a_chip_survives_its_own_json():
    for chip in load_chips().values():
        assert Chip.model_validate_json(chip.model_dump_json()) == chip


@pytest.mark.parametrize(
    ("field", "given", "limits"),
    [
        ("bytes_memory", "80", "1e+09 to 1e+13 bytes"),
        ("bytes_memory", "2e13", "1e+09 to 1e+13 bytes"),
        ("bytes_memory", ".nan", "1e+09 to 1e+13 bytes"),
        ("bytes_memory", ".inf", "1e+09 to 1e+13 bytes"),
        ("bytes_per_s_memory", "3350", "1e+09 to 1e+14 bytes/s"),
        ("bytes_per_s_link", "450", "1e+09 to 1e+14 bytes/s"),
        ("bytes_per_s_scaleout", "50", "1e+09 to 1e+14 bytes/s"),
        ("link_domain", "0", "1 to 100000 GPUs"),
        ("watts_tdp", "0.7", "10 to 100000 W"),
    ],
)
def test_a_figure_out_of_range_is_refused_with_field_value_and_range(tmp_path, field, given, limits):
    lines = [line for line in OWN.splitlines() if not line.startswith(f"{field}:")]
    message = refusal(tmp_path, "\n".join([*lines, f"{field}: {given}"]))
    assert f"{field}: must be from {limits} (given: " in message
    assert given.strip(".") in message


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("flops_per_s: {bf16: 312}", "flops_per_s.bf16: must be from 1e+09 to 1e+18 FLOP/s (given: 312)"),
        ("flops_per_s: {bf16: .nan}", "flops_per_s.bf16: must be"),
        ("flops_per_s: {fp16: 312e12}", "'bf16', 'fp8', 'int8' or 'fp4'"),
        ("flops_per_s: {}", "flops_per_s"),
        ("usd_per_hour: {rental: 5000}", "0.001 to 1000 USD per GPU-hour (given: 5000)"),
        ("usd_per_hour: {rental: 0}", "0.001 to 1000 USD per GPU-hour"),
        ("usd_per_hour: {rental: [2, 1]}", "usd_per_hour.rental: must be [low, high]"),
        ("usd_per_hour: {rental: [1, 2, 3]}", "usd_per_hour.rental"),
        ("usd_per_hour: {rentel: 1}", "'rental'"),
        ("usd_per_hour: {rental: 1}", "usd_per_hour needs source_price"),
        ("source_spec: {text: data sheet}", "source_spec.date: Field required"),
        ("unverified: [wats_tdp]", "unknown field in unverified 'wats_tdp'"),
        ("unverified: [bytes_memory.x]", "Did you mean 'bytes_memory'"),
        ("unverified: [flops_per_s]", "Did you mean 'flops_per_s.bf16'"),
        ("unverified: [watts_tdp]", "unknown field in unverified 'watts_tdp'"),
        ("byte_memory: 1e12", "unknown field 'byte_memory'. Did you mean 'bytes_memory'"),
        ("1: 2", "1"),
    ],
)
def test_a_wrong_field_is_refused_in_words(tmp_path, lines, words):
    name = lines.partition(":")[0]
    rest = [line for line in OWN.splitlines() if not line.startswith(f"{name}:")]
    assert words in refusal(tmp_path, "\n".join([*rest, lines]))


def test_a_user_must_say_where_figures_are_from(tmp_path):
    assert "source_spec: Field required" in refusal(tmp_path, OWN.partition("source_spec")[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("flops_per_s: {bf16: 1", "line"),
        ("a: b: c", "line 1"),
        ("day: 2026-13-45", "not valid YAML"),
        ("", "field: value"),
        ("- 1", "field: value"),
    ],
)
def test_a_file_that_is_no_chip_is_refused(tmp_path, text, words):
    assert words in refusal(tmp_path, text)


def test_a_file_that_can_not_be_read_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.yaml: No such file"):
        get_chip(str(tmp_path / "nowhere.yaml"))
    (tmp_path / "folder.yml").mkdir()
    with pytest.raises(BadInput, match=r"folder\.yml: Is a directory"):
        get_chip(str(tmp_path / "folder.yml"))
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(BadInput, match=r"latin\.yaml is not valid YAML"):
        get_chip(str(tmp_path / "latin.yaml"))
