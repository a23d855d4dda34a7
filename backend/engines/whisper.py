"""Whisper's model, driven for realtime: each window is encoded once, and all else reuses it.

Stock `mlx_whisper.transcribe` makes the spectrogram of the whole utterance anew at each call, pads
it to 30 s, and encodes it again for the language, for every temperature, for the times of words and
wherever a segment ended early: up to 29 times for a clip of 3 s. Here the spectrogram grows with
the utterance, and partials are encoded no longer than they are. The model, the tokenizer, the
decoding of tokens and the alignment of words are the package's own.

Imports MLX: to be imported on the thread that shall use it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx_whisper import audio as package_audio
from mlx_whisper.decoding import DecodingOptions, DecodingResult, DecodingTask
from mlx_whisper.timing import find_alignment, merge_punctuations
from mlx_whisper.tokenizer import Tokenizer, get_tokenizer

from backend.engines import RATE, Audio, SpokenWord

HOP = 160
"""Samples between two frames of the spectrogram."""
WINDOW = 400
"""Samples that a frame looks at."""
FRAMES = 3000
"""Frames of the model's window, 30 s."""
LEAST_CONTEXT = 256
"""Positions, 20 ms each, that a partial is encoded with at least: the model has never seen less
than 1500, and of very few it makes nonsense."""
ROOM = 25
"""Positions of silence after a partial's sound, so that its last word has an end."""
TOKENS_A_SECOND = 12
"""More than anybody speaks: what goes on for longer is a loop."""
LOOPED = 2.4
"""Ratio by which text compresses that repeats itself: OpenAI's own threshold."""
APPENDED, PREPENDED = "\"'.。,，!！?？:：”)]}、", "\"'“¿([{-"  # noqa: RUF001


@dataclass(frozen=True)
class Asked:
    """How to read."""

    language: str | None = None
    task: str = "transcribe"
    prompt: str | None = None
    words: bool = False
    brief: bool = False
    """A partial: encoded no longer than it is, read greedily and without times."""
    temperatures: Sequence[float] = (0.0, 0.4, 0.8)
    """The first one, and the next ones while the text repeats itself."""
    options: dict[str, Any] = field(default_factory=dict)
    """More of `DecodingOptions`."""


@dataclass(frozen=True)
class Passage:
    """What was read in one window."""

    text: str
    tokens: int
    language: str
    language_probability: float
    logprob: float
    """Mean natural log probability of its tokens; NaN where no token was possible."""
    no_speech: float
    """The model's own probability that nobody speaks, 0 to 1."""
    compression: float
    """Length of the text by its compressed length; high for repetitions."""
    words: tuple[SpokenWord, ...] = ()


class _Decoding(DecodingTask):  # type: ignore[misc]
    def _get_audio_features(self, mel: mx.array) -> mx.array:
        return mel  # They are features already.


class _Aligned:
    """What `find_alignment` wants of a model, with the sound encoded already."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.alignment_heads = model.alignment_heads

    def forward_with_cross_qk(self, features: mx.array, tokens: mx.array) -> Any:
        logits, _, cross_qk = self._model.decoder(tokens, features)
        return logits, cross_qk


class Spectrogram:
    """Of one utterance: it grows with it."""

    def __init__(self, mels: int) -> None:
        """Begin with nothing, of so many mel bands."""
        # Not the package's cached ones: those belong to the thread that asked first.
        self._filters = package_audio.mel_filters.__wrapped__(mels).T
        self._hann = mx.array(np.hanning(WINDOW + 1)[:-1].astype(np.float32))
        self._utterance: str | None = None
        self._audio: Audio = np.zeros(0, np.int16)
        self._logs = mx.zeros((0, mels))
        self.repeated = False
        """The last one asked for was of the very sound of the one before."""
        self.computed = 0
        """Frames computed so far, for tests and benchmarks."""

    def of(self, utterance: str, audio: Audio) -> mx.array:
        """Return the log-mel spectrogram as the model knows it: ``(samples // 160, mels)``."""
        known = self._known(utterance, audio)
        logs = mx.concatenate([self._logs[:known], self._compute(audio, known)])
        mx.eval(logs)
        self.repeated = known > 0 and len(audio) == len(self._audio)
        self._utterance, self._audio, self._logs = utterance, audio, logs
        scaled = (mx.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0
        return scaled[: len(audio) // HOP]

    def forget(self) -> None:
        """Give the memory back."""
        self._utterance, self._logs = None, self._logs[:0]

    def _known(self, utterance: str, audio: Audio) -> int:
        """Return how many of its frames are those of before."""
        length = len(self._audio)
        if utterance != self._utterance or len(audio) < length:
            return 0
        if not np.array_equal(audio[:length], self._audio):
            return 0
        return max(0, (length - WINDOW // 2) // HOP)

    def _compute(self, audio: Audio, first: int) -> mx.array:
        """Return the frames from the first on, and two more in which the sound fades out."""
        count = len(audio) // HOP + 2 - first
        self.computed += count
        begin = first * HOP - WINDOW // 2
        sound = audio[max(0, begin) :].astype(np.float32) / 32768
        if begin < 0:
            mirrored = sound[1 : WINDOW // 2 + 1][::-1]
            sound = np.concatenate([np.zeros(-begin - len(mirrored), np.float32), mirrored, sound])
        sound = np.pad(sound, (0, max(0, (count - 1) * HOP + WINDOW - len(sound))))
        frames = mx.as_strided(mx.array(sound), [count, WINDOW], [HOP, 1])
        powers = mx.fft.rfft(frames * self._hann).abs().square()
        return mx.maximum(powers @ self._filters, 1e-10).log10()


class Whisper:
    """A loaded model and its spectrogram. For one thread."""

    def __init__(self, model: Any, dtype: Any) -> None:
        """Take the package's model, loaded with that type of numbers."""
        self.model = model
        self.encoded = 0
        """Passes of the encoder so far, for tests and benchmarks."""
        self.spectrogram = Spectrogram(model.dims.n_mels)
        self._dtype = dtype
        self._features: dict[tuple[int, int], mx.array] = {}

    def read(self, utterance: str, audio: Audio, asked: Asked) -> list[Passage]:
        """Read all of the sound, 30 s at a time.

        Raises `ValueError` for options that the package refuses.
        """
        mel = self.spectrogram.of(utterance, audio)
        if not self.spectrogram.repeated:
            self._features.clear()
        passages: list[Passage] = []
        start = 0
        while start < mel.shape[0]:
            window = mel[start : start + FRAMES]
            is_last = start + FRAMES >= mel.shape[0]
            features = self._encoded(window, start, asked.brief)
            passage, read = self._read_window(
                features, window.shape[0], asked, start * HOP / RATE, is_last
            )
            passages.append(passage)
            asked = replace(asked, prompt=None, language=passage.language)
            start += read
        return passages

    def _read_window(
        self, features: mx.array, frames: int, asked: Asked, offset: float, is_last: bool
    ) -> tuple[Passage, int]:
        language, sure = self._language(features, asked.language)
        tokenizer = self._tokenizer(language, asked.task)
        result = self._decode(features, frames, tokenizer, replace(asked, language=language))
        tokens = result.tokens
        read = frames
        if not is_last:
            tokens, read = _whole_sentences(tokens, tokenizer, frames)
        text = [token for token in tokens if token < tokenizer.eot]
        words = self._align(features, frames, tokenizer, text, offset) if asked.words else ()
        return (
            Passage(
                text=tokenizer.decode(text).strip(),
                tokens=len(tokens) + 1,
                language=language,
                language_probability=sure,
                logprob=float(result.avg_logprob),
                no_speech=float(result.no_speech_prob),
                compression=float(result.compression_ratio),
                words=tuple(words),
            ),
            read,
        )

    def _encoded(self, window: mx.array, start: int, brief: bool) -> mx.array:
        """Return the window's features; those of the last sound read are kept."""
        context = self._context(window.shape[0]) if brief else FRAMES // 2
        known = self._features.get((start, context))
        if known is None:
            known = self._features[start, context] = self._encode(window, context)
        return known

    @staticmethod
    def _context(frames: int) -> int:
        """Return the positions that a partial of so many frames is encoded with."""
        return min(FRAMES // 2, max(LEAST_CONTEXT, frames // 2 + ROOM))

    def _encode(self, mel: mx.array, context: int) -> mx.array:
        """Return the features, shape ``(1, context, state)``."""
        self.encoded += 1
        encoder = self.model.encoder
        padded = mx.pad(mel, [(0, 2 * context - mel.shape[0]), (0, 0)])[None].astype(self._dtype)
        x = nn.gelu(encoder.conv1(padded))  # type: ignore[attr-defined]
        x = nn.gelu(encoder.conv2(x))  # type: ignore[attr-defined]
        x = x + encoder._positional_embedding[:context]
        for block in encoder.blocks:
            x, _, _ = block(x)
        features: mx.array = encoder.ln_post(x)
        mx.eval(features)
        return features

    def _language(self, features: mx.array, wanted: str | None) -> tuple[str, float]:
        """Return the language and how likely it is; 1 for the one that was asked for."""
        if not self.model.is_multilingual:
            return "en", 1.0
        if wanted:
            return wanted, 1.0
        tokenizer = self._tokenizer("en", "transcribe")
        logits = self.model.logits(mx.array([[tokenizer.sot]]), features)[0, 0]
        languages = logits[mx.array(tokenizer.all_language_tokens)]
        chances = np.array(mx.softmax(languages.astype(mx.float32)))
        best = int(np.argmax(chances))
        return str(tokenizer.all_language_codes[best]), float(chances[best])

    def _tokenizer(self, language: str, task: str) -> Tokenizer:
        return get_tokenizer(
            self.model.is_multilingual,
            num_languages=self.model.num_languages,
            language=language,
            task=task,
        )

    def _decode(
        self, features: mx.array, frames: int, tokenizer: Tokenizer, asked: Asked
    ) -> DecodingResult:
        most = self.model.dims.n_text_ctx // 2
        options: dict[str, Any] = {
            "sample_len": min(most, 16 + round(TOKENS_A_SECOND * frames * HOP / RATE)),
            "without_timestamps": asked.brief,
            "prompt": tokenizer.encode(" " + asked.prompt.strip()) if asked.prompt else None,
            **asked.options,
        }
        for temperature in asked.temperatures:
            mx.random.seed(0)
            result = self._run(features, asked, {**options, "temperature": temperature})
            if result.compression_ratio <= LOOPED:
                break
        if np.isnan(result.avg_logprob):
            # The rule for timestamps can leave no token possible at all.
            result = self._run(features, asked, {**options, "without_timestamps": True})
        return result

    def _run(self, features: mx.array, asked: Asked, options: dict[str, Any]) -> DecodingResult:
        half = self._dtype == mx.float16
        how = DecodingOptions(language=asked.language, task=asked.task, fp16=half, **options)
        return _Decoding(self.model, how).run(features)[0]

    def _align(
        self, features: mx.array, frames: int, tokenizer: Tokenizer, text: list[int], offset: float
    ) -> Iterator[SpokenWord]:
        aligned = find_alignment(_Aligned(self.model), tokenizer, text, features[0], frames)
        merge_punctuations(aligned, PREPENDED, APPENDED)
        for word in aligned:
            if word.word.strip():
                chance = float(word.probability)
                yield SpokenWord(
                    text=word.word.strip(),
                    start=offset + float(word.start),
                    end=offset + float(word.end),
                    confidence=None if np.isnan(chance) else chance,
                )


def _whole_sentences(tokens: list[int], tokenizer: Tokenizer, frames: int) -> tuple[list[int], int]:
    """Return the tokens up to the last pair of times, and the frames up to there.

    What follows is read again with the next window, for it may be cut off in mid-word.
    """
    begin = tokenizer.timestamp_begin
    for place in range(len(tokens) - 1, 0, -1):
        if tokens[place] >= begin and tokens[place - 1] >= begin:
            return tokens[:place], max(1, (tokens[place - 1] - begin) * 2)
    return tokens, frames


def load(folder: Path, dtype: Any) -> Whisper:
    """Load a model from its folder."""
    from mlx_whisper.load_models import load_model

    model = load_model(str(folder), dtype=dtype)
    if dtype == mx.float32:
        # The package leaves a file's half numbers as they are, and each layer would make them
        # whole again at every token: on a processor that takes three times as long as the rest.
        model.set_dtype(dtype)
        mx.eval(model.parameters())
    return Whisper(model, dtype)
