#!/bin/sh
# Makes demo.flac from demo.txt: a line a sentence, spoken by espeak-ng, with pauses between and
# a breath of noise under it all, so that silence isn't digital zeros. Needs espeak-ng and sox.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=100
while read -r sentence; do
    number=$((number + 1))
    espeak-ng -v en-us -s 150 -w "$work/raw.wav" "$sentence"
    sox -R "$work/raw.wav" -r 16000 -b 16 -c 1 "$work/$number.wav" gain -3 pad 0.35 0.85
done < demo.txt
sox -R "$work"/1*.wav "$work/speech.wav"
sox -R "$work/speech.wav" -p synth whitenoise gain -70 |
    sox -R -m -v 1 "$work/speech.wav" -v 1 - -b 16 demo.flac
