#!/bin/sh
# The paper's explainer: VideoLLaMA 3 fine-tuned on EMER-fine, on all GPUs of a machine, then asked about a corpus. MODEL
# as in explain_videollama3.sh; EMER-fine and its clips come from AffectGPT's authors, on request.
# NOT RUN YET: written without a GPU, the weights or EMER-fine. Whoever runs it first: note machine, date, hours and the
# losses here, and mend what is wrong.
#   runs/finetune_videollama3.sh MODEL EMER_FINE.csv CLIPS CORPUS OUT.jsonl
set -eu
torchrun --nproc-per-node gpu -m textmsa finetune-explainer --data "$2" --clips "$3" \
    --model "$1" --out adapter --dtype bfloat16 --gradient-checkpointing
textmsa explain "$4" --out "$5" --explainer videollama3 \
    --explainer-options.model "$1" --explainer-options.adapter adapter \
    --explainer-options.device cuda:0 --explainer-options.batch 8
textmsa explain-report "$5"
