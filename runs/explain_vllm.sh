#!/bin/sh
# Explanations of thousands of clips by Qwen2.5-VL behind vLLM, which must be running:
#   vllm serve Qwen/Qwen2.5-VL-7B-Instruct --limit-mm-per-prompt '{"image": 16}' --max-model-len 16384
# NOT RUN YET with vLLM (the client is tested against a server of our own). Whoever runs it first: note machine, date,
# minutes a thousand clips and the table of `textmsa explain-report` here, and mend what is wrong.
#   runs/explain_vllm.sh CORPUS OUT.jsonl
set -eu
textmsa explain "$1" --out "$2" --explainer chat_endpoint \
    --explainer-options.base_url http://127.0.0.1:8000/v1 --explainer-options.model Qwen/Qwen2.5-VL-7B-Instruct \
    --explainer-options.concurrency 64
textmsa explain-report "$2"
