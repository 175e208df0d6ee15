"""The process that holds espeak-ng: `python -m orchestrator_utils._drivers.espeak_child PARENT_PID`.

It reads `SAY` and `STOP` frames from standard input and writes frames to standard output (`_speech_frames`). It is a process of its
own because native code can die, and because espeak-ng is under the GPL. It ends when its input ends or its parent dies.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any

from orchestrator_kernel.child_guard import end_with_parent
from orchestrator_utils._speech_frames import Frame, FrameReader, Kind, encode, pack_done, pack_words, unpack_say

# From espeak-ng's speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_CHARS_UTF8 = 1
_POS_CHARACTER = 1
_PARAMETER_RATE = 1
_EVENT_LIST_TERMINATED = 0
_EVENT_WORD = 1

_BUFFER_MS = 40
_FLUSH_BYTES = 16 * 1024
"""After its first piece, audio is sent in pieces of about this size: 0.4 s, to wake the parent less often."""


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


class _LoadFailed(Exception):
    """espeak-ng is not there or refuses to start."""


class _Output:
    """Standard output for the frames alone: what native code prints goes nowhere."""

    def __init__(self) -> None:
        self._descriptor = os.dup(1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)

    def send(self, kind: Kind, job: int, payload: bytes = b"") -> None:
        data = encode(kind, job, payload)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            # Nobody listens any more.
            os._exit(0)


class _Voice:
    """espeak-ng, one text at a time; its calls block, and give the GIL away meanwhile."""

    def __init__(self, output: _Output) -> None:
        self._output = output
        try:
            loader = importlib.import_module("espeakng_loader")
            self._library = ctypes.CDLL(loader.get_library_path())
            # espeak-ng keeps the path of its data in 160 bytes, so it is given a short one.
            os.chdir(Path(loader.get_data_path()).parent)
        except (ImportError, OSError) as error:
            raise _LoadFailed(type(error).__name__) from error
        self.rate: int = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MS, b".", 0)
        if self.rate <= 0:
            raise _LoadFailed("espeak_Initialize")
        self._callback = _Callback(self._take)
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_Synth.argtypes = (
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        )  # fmt: skip
        self._name = ""
        self._words_per_minute = 0
        self._sent_first = False
        self.job = 0
        self.stopped = 0
        self.samples = 0
        self.rest = bytearray()
        # Loads the dictionary, so that the first sentence need not; job 0 is a stopped one, so nothing is heard of it.
        self._speak("en-us", 175, "a")

    def say(self, job: int, voice: str, words_per_minute: int, text: str) -> str:
        """Speak; an empty string, or why it failed. The last of the audio is left in `rest`."""
        self.job, self.samples, self._sent_first = job, 0, False
        self.rest.clear()
        if self.stopped == job:
            return ""
        return self._speak(voice, words_per_minute, text)

    def _speak(self, voice: str, words_per_minute: int, text: str) -> str:
        if voice != self._name:
            if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
                self._name = ""
                return "unknown_voice"
            # A new voice comes with its own speed.
            self._name, self._words_per_minute = voice, 0
        if words_per_minute != self._words_per_minute:
            self._library.espeak_SetParameter(_PARAMETER_RATE, words_per_minute, 0)
            self._words_per_minute = words_per_minute
        data = text.encode()
        code = self._library.espeak_Synth(data, len(data) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
        return "" if code == 0 or self.stopped == self.job else "engine_error"

    def _take(self, samples: int | None, count: int, events: Any) -> int:
        if self.stopped == self.job:
            return 1
        places: list[tuple[int, int]] = []
        index = 0
        while (event := events[index]).type != _EVENT_LIST_TERMINATED:
            if event.type == _EVENT_WORD:
                places.append((max(event.text_position - 1, 0), max(event.sample, 0)))
            index += 1
        if places:
            self._output.send(Kind.WORDS, self.job, pack_words(places))
        if samples and count > 0:
            self.samples += count
            self.rest += ctypes.string_at(samples, count * 2)
            if not self._sent_first or len(self.rest) >= _FLUSH_BYTES:
                self._output.send(Kind.AUDIO, self.job, bytes(self.rest))
                self._sent_first = True
                self.rest.clear()
        return 0


def _read(voice: _Voice, jobs: queue.SimpleQueue[Frame]) -> None:
    reader = FrameReader()
    try:
        while data := os.read(0, 65536):
            for frame in reader.feed(data):
                if frame.kind is Kind.STOP:
                    voice.stopped = frame.job
                else:
                    jobs.put(frame)
    finally:
        os._exit(0)


def main() -> None:
    """Serve until the input ends."""
    output = _Output()
    end_with_parent(int(sys.argv[1]))
    try:
        voice = _Voice(output)
    except _LoadFailed as error:
        output.send(Kind.FAILED, 0, str(error).encode())
        return
    jobs: queue.SimpleQueue[Frame] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(voice, jobs), daemon=True).start()
    output.send(Kind.READY, 0, voice.rate.to_bytes(4, "big"))
    while True:
        frame = jobs.get()
        reason = voice.say(frame.job, *unpack_say(frame.payload))
        if reason:
            output.send(Kind.FAILED, frame.job, reason.encode())
        else:
            output.send(Kind.DONE, frame.job, pack_done(voice.samples, bytes(voice.rest)))


if __name__ == "__main__":
    main()
