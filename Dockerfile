# docker build -t rewardsmith .                                        # the package alone
# docker build -t rewardsmith --build-arg EXTRAS='[lora,hub]' .        # with extras
# docker run --rm -v "$PWD:/work" rewardsmith prepare pairs.jsonl -o data
# With a GPU: --gpus all. Models are cached in /home/rewardsmith/.cache; mount a volume there to keep them.
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 rewardsmith
WORKDIR /source
COPY pyproject.toml constraints.txt MANIFEST.in README.md PACKAGE.md CHANGELOG.md LICENSE ./
COPY src ./src
ARG EXTRAS=""
RUN pip install --no-cache-dir -c constraints.txt ".${EXTRAS}"

USER rewardsmith
WORKDIR /work
ENTRYPOINT ["rewardsmith"]
CMD ["--help"]
