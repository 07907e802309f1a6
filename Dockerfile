# One image for the worker, the hub and the command line; the commands are in docker-compose.yml.
FROM python:3.12.13-slim-trixie AS build
# The rules engine is C that is compiled here.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc g++ libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project --no-cache
COPY . .
# The sandbox imports a workflow's module for every run, and the user of the image cannot write.
RUN uv sync --frozen --no-dev --no-cache && python -m compileall -q *.py */

FROM python:3.12.13-slim-trixie
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin flowhub
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1
USER flowhub
CMD ["flowhub", "--help"]
