#!/bin/sh
# Explanations of a corpus by Qwen2.5-Omni 7B, which sees and hears, and refines its own clues.
# NOT RUN YET: written without a GPU and without the weights. Whoever runs it first: note machine, date, minutes a
# thousand clips and the table of `textmsa explain-report` here, and mend what is wrong.
#   runs/explain_qwen_omni.sh CORPUS OUT.jsonl
set -eu
textmsa explain "$1" --out "$2" --explainer qwen_omni \
    --explainer-options.model Qwen/Qwen2.5-Omni-7B --explainer-options.device cuda:0 --explainer-options.batch 4
textmsa explain-report "$2"
