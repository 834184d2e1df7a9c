"""What reads the exports reads them: Hugging Face datasets, TRL, openai/evals and promptfoo (`make export-test`)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from trl.data_utils import apply_chat_template, is_conversational

from deploy.export.files import FileFormat
from tests.export.talk import DISLIKED, LIKED, export

PROMPTFOO = Path(__file__).parent / "node_modules/.bin/promptfoo"
TEMPLATE = "{% for m in messages %}[{{ m.role }}] {{ m.content }} [end]\n{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}"


def tokenizer() -> Any:
    """A token a byte, and a chat template."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytewise = Tokenizer(models.BPE({"<pad>": 0, **{letter: n for n, letter in enumerate(alphabet, 1)}}, []))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=bytewise, pad_token="<pad>", eos_token="<pad>")
    made.chat_template = TEMPLATE
    return made


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_folder_is_a_data_set_by_its_card(tmp_path: Path, form: FileFormat) -> None:
    rows = load_dataset(str(export(tmp_path / "out", "sft", "trl", form)), cache_dir=str(tmp_path / "cache"))["test"]
    assert set(rows.column_names) == {"prompt", "completion", "metadata"}
    assert rows[0]["completion"] == [{"role": "assistant", "content": LIKED}]


def test_trl_takes_a_prompt_and_what_completes_it(tmp_path: Path) -> None:
    [row] = load_dataset(str(export(tmp_path / "out", "sft", "trl")), cache_dir=str(tmp_path / "cache"))["test"]
    assert is_conversational(row)
    told = apply_chat_template({"prompt": row["prompt"], "completion": row["completion"]}, tokenizer())
    assert DISLIKED in told["prompt"] and told["prompt"].endswith("[assistant] ")
    assert LIKED in told["completion"] and DISLIKED not in told["completion"]


def test_trl_takes_pairs(tmp_path: Path) -> None:
    [row] = load_dataset(str(export(tmp_path / "out", "preference", "trl")), cache_dir=str(tmp_path / "cache"))["test"]
    assert is_conversational(row)
    told = apply_chat_template({key: row[key] for key in ("prompt", "chosen", "rejected")}, tokenizer())
    assert LIKED in told["chosen"] and DISLIKED in told["rejected"] and DISLIKED not in told["prompt"]


def test_the_trainer_of_trl_puts_loss_on_the_liked_answer_only(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not in this environment: pip install torch in it")
    from transformers import GPT2Config, GPT2LMHeadModel
    from trl import SFTConfig, SFTTrainer

    rows = load_dataset(str(export(tmp_path / "out", "sft", "trl")), cache_dir=str(tmp_path / "cache"))["test"]
    words = tokenizer()
    trainer = SFTTrainer(
        model=GPT2LMHeadModel(GPT2Config(vocab_size=len(words), n_embd=8, n_layer=1, n_head=1)),
        args=SFTConfig(output_dir=str(tmp_path / "model"), use_cpu=True, bf16=False, report_to="none"),
        train_dataset=rows,
        processing_class=words,
    )
    [batch] = trainer.get_train_dataloader()
    taught = [int(token) for token in batch["labels"][0] if token >= 0]
    assert LIKED in words.decode(taught) and DISLIKED not in words.decode(taught)
    assert DISLIKED in words.decode(batch["input_ids"][0])


def test_openai_evals_reads_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")  # its modules make a client when they are imported
    from evals.data import get_jsonl

    [sample] = get_jsonl(str(export(tmp_path / "out", "regression", "openai-evals") / "test.jsonl"))
    assert sample["input"][-1] == {"role": "user", "content": "When does the train leave?"}
    assert sample["ideal"] == LIKED and DISLIKED in sample["criteria"]


@pytest.mark.skipif(not PROMPTFOO.exists() or not shutil.which("node"), reason="needs promptfoo (npm)")
def test_promptfoo_runs_the_cases(tmp_path: Path) -> None:
    """given a provider that says what it was asked, then the case asks what the user asked, and its checks are of kinds it knows."""
    folder = export(tmp_path / "out", "regression", "promptfoo")
    (folder / "promptfooconfig.json").write_text(
        json.dumps({"prompts": ["{{messages}}"], "providers": ["echo"], "tests": "file://test.jsonl"}), "utf-8"
    )
    quiet = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1", "PROMPTFOO_CONFIG_DIR": str(tmp_path / "home")}
    run = subprocess.run(
        [PROMPTFOO, "eval", "-c", folder / "promptfooconfig.json", "-o", folder / "result.json", "--no-cache", "--no-progress-bar"],
        env={**os.environ, **quiet, "OPENAI_API_KEY": "none", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert (folder / "result.json").exists(), run.stdout + run.stderr
    [result] = json.loads((folder / "result.json").read_text("utf-8"))["results"]["results"]
    assert json.loads(result["response"]["output"])[-1] == {"role": "user", "content": "When does the train leave?"}
    assert [check["type"] for check in result["testCase"]["assert"]] == ["llm-rubric", "not-equals"]
