"""libslirp by ctypes: user-mode TCP/IP for one emulated board, without root and without a network device.

It has what the gateway needs: one stack, Ethernet frames in and out, forwarded TCP ports, a poll loop. A stack belongs
to the thread that created it. Structures follow libslirp.h of version 4 (SlirpConfig version 1).
"""

from __future__ import annotations

import ctypes as c
import ctypes.util
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from renode.errors import GatewayError, ToolMissingError

MTU: Final = 1500
ETHERNET_HEADER_BYTES: Final = 14
_IN, _OUT, _PRI, _ERR, _HUP = 1, 2, 4, 8, 16
_TO_POLL: Final = ((_IN, select.POLLIN), (_OUT, select.POLLOUT), (_PRI, select.POLLPRI))
_FROM_POLL: Final = (*_TO_POLL, (_ERR, select.POLLERR), (_HUP, select.POLLHUP))
_LIBRARY_NAMES: Final = ("libslirp.so.0", "libslirp.0.dylib")
_creating = threading.Lock()  # the library initialises itself once and has no lock for that


class _In6(c.Structure):
    _fields_ = (("bytes", c.c_uint8 * 16),)


class _In4(c.Structure):
    _fields_ = (("address", c.c_uint32),)


class _Config(c.Structure):
    _fields_ = (
        ("version", c.c_uint32),
        ("restricted", c.c_int),
        ("in_enabled", c.c_bool),
        ("vnetwork", _In4),
        ("vnetmask", _In4),
        ("vhost", _In4),
        ("in6_enabled", c.c_bool),
        ("vprefix_addr6", _In6),
        ("vprefix_len", c.c_uint8),
        ("vhost6", _In6),
        ("vhostname", c.c_char_p),
        ("tftp_server_name", c.c_char_p),
        ("tftp_path", c.c_char_p),
        ("bootfile", c.c_char_p),
        ("vdhcp_start", _In4),
        ("vnameserver", _In4),
        ("vnameserver6", _In6),
        ("vdnssearch", c.c_void_p),
        ("vdomainname", c.c_char_p),
        ("if_mtu", c.c_size_t),
        ("if_mru", c.c_size_t),
        ("disable_host_loopback", c.c_bool),
        ("enable_emu", c.c_bool),
    )


_Send = c.CFUNCTYPE(c.c_ssize_t, c.c_void_p, c.c_size_t, c.c_void_p)
_Text = c.CFUNCTYPE(None, c.c_char_p, c.c_void_p)
_Clock = c.CFUNCTYPE(c.c_int64, c.c_void_p)
_Expired = c.CFUNCTYPE(None, c.c_void_p)
_TimerNew = c.CFUNCTYPE(c.c_void_p, _Expired, c.c_void_p, c.c_void_p)
_TimerFree = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p)
_TimerSet = c.CFUNCTYPE(None, c.c_void_p, c.c_int64, c.c_void_p)
_PollFd = c.CFUNCTYPE(None, c.c_int, c.c_void_p)
_Notify = c.CFUNCTYPE(None, c.c_void_p)
_AddPoll = c.CFUNCTYPE(c.c_int, c.c_int, c.c_int, c.c_void_p)
_GetEvents = c.CFUNCTYPE(c.c_int, c.c_int, c.c_void_p)


class _Callbacks(c.Structure):
    _fields_ = (
        ("send_packet", _Send),
        ("guest_error", _Text),
        ("clock_get_ns", _Clock),
        ("timer_new", _TimerNew),
        ("timer_free", _TimerFree),
        ("timer_mod", _TimerSet),
        ("register_poll_fd", _PollFd),
        ("unregister_poll_fd", _PollFd),
        ("notify", _Notify),
    )


def _load() -> Any:
    names = (*_LIBRARY_NAMES, ctypes.util.find_library("slirp"))
    for name in names:
        if name is None:
            continue
        try:
            library = c.CDLL(name)
        except OSError:
            continue
        library.slirp_new.restype = c.c_void_p
        library.slirp_new.argtypes = [c.POINTER(_Config), c.POINTER(_Callbacks), c.c_void_p]
        library.slirp_cleanup.argtypes = [c.c_void_p]
        library.slirp_cleanup.restype = None
        library.slirp_input.argtypes = [c.c_void_p, c.c_char_p, c.c_int]
        library.slirp_input.restype = None
        library.slirp_pollfds_fill.argtypes = [c.c_void_p, c.POINTER(c.c_uint32), _AddPoll, c.c_void_p]
        library.slirp_pollfds_fill.restype = None
        library.slirp_pollfds_poll.argtypes = [c.c_void_p, c.c_int, _GetEvents, c.c_void_p]
        library.slirp_pollfds_poll.restype = None
        library.slirp_add_hostfwd.argtypes = [c.c_void_p, c.c_int, _In4, c.c_int, _In4, c.c_int]
        return library
    raise ToolMissingError("libslirp (user-mode networking)", "Debian package libslirp0")


def is_available() -> bool:
    """Return whether the library can be loaded."""
    try:
        _load()
    except ToolMissingError:
        return False
    return True


def _in4(address: str) -> _In4:
    return _In4.from_buffer_copy(socket.inet_aton(address))


class SlirpStack:
    """One user-mode network. `send_frame` gets each Ethernet frame for the board."""

    def __init__(
        self, *, network: str, netmask: str, host: str, dns: str, send_frame: Callable[[bytes], None]
    ) -> None:
        """Raises ToolMissingError, GatewayError."""
        self._library = _load()
        self._send_frame = send_frame
        self._timers: dict[int, tuple[Any, Any, int | None]] = {}
        self._next_timer = 1
        self._wanted: list[tuple[int, int]] = []
        self._ready: dict[int, int] = {}
        # Without these references ctypes would free the callbacks while the stack uses them.
        self._callbacks = self._make_callbacks()
        self._add_poll = _AddPoll(self._on_add_poll)
        self._get_events = _GetEvents(self._on_get_events)
        config = _Config(
            version=1,
            in_enabled=True,
            vnetwork=_in4(network),
            vnetmask=_in4(netmask),
            vhost=_in4(host),
            vdhcp_start=_in4(dns),  # DHCP is not used, but the field must be an address of the network
            vnameserver=_in4(dns),
            if_mtu=MTU,
            if_mru=MTU,
        )
        with _creating:
            self._stack = self._library.slirp_new(c.byref(config), c.byref(self._callbacks), None)
        if not self._stack:
            raise GatewayError("libslirp refused its configuration")

    def input(self, frame: bytes) -> None:
        """Pass one Ethernet frame of the board to the stack."""
        self._library.slirp_input(self._stack, frame, len(frame))

    def forward(
        self, device_address: str, device_port: int, host_port: int = 0, *, is_udp: bool = False
    ) -> int:
        """Listen on 127.0.0.1 for the board's `device_port`; return the host port (a free one for 0).

        The kernel chooses and binds the port in one step, so nothing can take it between. Raises GatewayError.
        """
        before = {fd for fd, _ in self.poll_requests()[0]}
        error = self._library.slirp_add_hostfwd(
            self._stack, int(is_udp), _in4("127.0.0.1"), host_port, _in4(device_address), device_port
        )
        if error != 0:
            raise GatewayError(f"libslirp could not forward a host port to device port {device_port}")
        for fd, _ in self.poll_requests()[0]:
            if fd not in before:
                return _listening_port(fd, is_udp=is_udp)
        raise GatewayError("libslirp did not report the socket that it listens on")

    def poll_requests(self) -> tuple[list[tuple[int, int]], int]:
        """Return the (descriptor, poll mask) pairs to poll for, and the longest wait in ms."""
        self._wanted = []
        timeout_ms = c.c_uint32(1000)
        self._library.slirp_pollfds_fill(self._stack, c.byref(timeout_ms), self._add_poll, None)
        return self._wanted, self._until_timer_ms(timeout_ms.value)

    def poll_results(self, ready: dict[int, int]) -> None:
        """Take the results of poll for the last poll_requests(), and run the timers that are due."""
        self._ready = ready
        self._library.slirp_pollfds_poll(self._stack, 0, self._get_events, None)
        now_ms = time.monotonic_ns() // 1_000_000
        for key, (callback, opaque, expires_ms) in list(self._timers.items()):
            if expires_ms is not None and expires_ms <= now_ms:
                self._timers[key] = (callback, opaque, None)
                callback(opaque)

    def close(self) -> None:
        """Close every socket of the stack. Idempotent."""
        if self._stack:
            stack, self._stack = self._stack, None
            self._library.slirp_cleanup(stack)

    def _until_timer_ms(self, at_most_ms: int) -> int:
        due = [expires_ms for _, _, expires_ms in self._timers.values() if expires_ms is not None]
        if not due:
            return at_most_ms
        return max(0, min(at_most_ms, min(due) - time.monotonic_ns() // 1_000_000))

    def _make_callbacks(self) -> _Callbacks:
        return _Callbacks(
            send_packet=_Send(self._on_send),
            guest_error=_Text(
                lambda _text, _opaque: None
            ),  # bad packets of the board: the gateway counts them
            clock_get_ns=_Clock(lambda _opaque: time.monotonic_ns()),
            timer_new=_TimerNew(self._on_timer_new),
            timer_free=_TimerFree(self._on_timer_free),
            timer_mod=_TimerSet(self._on_timer_set),
            register_poll_fd=_PollFd(lambda _fd, _opaque: None),
            unregister_poll_fd=_PollFd(lambda _fd, _opaque: None),
            notify=_Notify(lambda _opaque: None),  # the poll loop runs in the same thread
        )

    def _on_send(self, buffer: int, length: int, _opaque: object) -> int:
        self._send_frame(c.string_at(buffer, length))
        return length

    def _on_timer_new(self, callback: Any, callback_opaque: Any, _opaque: object) -> int:
        key = self._next_timer
        self._next_timer += 1
        self._timers[key] = (callback, callback_opaque, None)
        return key

    def _on_timer_free(self, key: int, _opaque: object) -> None:
        self._timers.pop(key, None)

    def _on_timer_set(self, key: int, expires_ms: int, _opaque: object) -> None:
        callback, opaque, _ = self._timers[key]
        self._timers[key] = (callback, opaque, expires_ms)

    def _on_add_poll(self, fd: int, events: int, _opaque: object) -> int:
        mask = sum(poll_bit for bit, poll_bit in _TO_POLL if events & bit)
        self._wanted.append((fd, mask))
        return len(self._wanted) - 1

    def _on_get_events(self, index: int, _opaque: object) -> int:
        bits = self._ready.get(self._wanted[index][0], 0) if 0 <= index < len(self._wanted) else 0
        return sum(bit for bit, poll_bit in _FROM_POLL if bits & poll_bit)


def _listening_port(fd: int, *, is_udp: bool) -> int:
    with socket.socket(fileno=os.dup(fd)) as twin:
        if not is_udp and not twin.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise GatewayError("libslirp's new socket does not listen")
        port: int = twin.getsockname()[1]
        return port
