#!/bin/sh
# Explanations of a corpus by VideoLLaMA 3, refined by Qwen2.5-7B-Instruct. MODEL is a checkpoint in transformers' own form
# (model_type video_llama_3, such as lkhl/VideoLLaMA3-2B-Image-HF; not the original one with code of its own). In bfloat16
# the weights alone take 2 bytes a parameter, the refiner's 15 GB more.
# NOT RUN YET: written without a GPU and without the weights. Whoever runs it first: note machine, date, minutes a
# thousand clips and the table of `textmsa explain-report` here, and mend what is wrong.
#   runs/explain_videollama3.sh MODEL CORPUS OUT.jsonl
set -eu
textmsa explain "$2" --out "$3" --explainer videollama3 \
    --explainer-options.model "$1" --explainer-options.device cuda:0 --explainer-options.batch 8 \
    --explainer-options.refiner causal_lm --explainer-options.refiner_model Qwen/Qwen2.5-7B-Instruct \
    --explainer-options.refiner_device cuda:0 --explainer-options.refiner_batch 8
textmsa explain-report "$3"
