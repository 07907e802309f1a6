"""`python -m hub.cli`, for processes that start others without a console script on PATH."""

from hub.cli.main import main

main()
