"""`python -m textmsa` is `textmsa`."""

from textmsa.cli import main

raise SystemExit(main())
