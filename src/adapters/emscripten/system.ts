/**
 * All system calls of one thread of a program, and those that only have to tell the pool's descriptors from the host's.
 *
 * @module
 */
import { hostOf } from "../../file/process_descriptors.ts";
import { WASI_EBADF, WASI_ENOTSOCK } from "../wasi_errno.ts";
import { MappingCalls } from "./mapping_calls.ts";

const POLLIN = 1;
const POLLOUT = 4;
const POLLNVAL = 32;

/** The system calls of one thread. */
export class System extends MappingCalls {
  /** A call on a socket, with its descriptor first. */
  socketCall(name: string, fd: number, ...rest: number[]): number {
    const entry = this.state.process.entry(fd);
    if (entry === 0) return -WASI_EBADF;
    return entry > 0 ? -WASI_ENOTSOCK : this.callHost(name, hostOf(entry), ...rest);
  }

  /** A call on a socket that makes another. */
  accept4(fd: number, ...rest: number[]): number {
    const accepted = this.socketCall("accept4", fd, ...rest);
    return accepted < 0 ? accepted : this.adoptHost(accepted);
  }

  /** Makes a socket. */
  socket(...args: number[]): number {
    const made = this.callHost("socket", ...args);
    return made < 0 ? made : this.adoptHost(made);
  }

  /** Makes a pipe: its two descriptors are stored at the pointer. */
  pipe2(pointer: number, flags: number): number {
    const { memory } = this.state;
    const made = this.callHost("pipe2", pointer, flags);
    if (made < 0) return made;
    const reader = this.adoptHost(memory.i32(pointer));
    if (reader < 0) {
      this.callHostWasi("fd_close", memory.i32(pointer + 4));
      return reader;
    }
    const writer = this.adoptHost(memory.i32(pointer + 4));
    if (writer < 0) {
      this.fd_close(reader);
      return writer;
    }
    memory.setI32(pointer, reader);
    memory.setI32(pointer + 4, writer);
    return 0;
  }

  /** Waits until one of several descriptors is ready. Files of the pool always are. */
  poll(pointer: number, count: number, timeout: number): number {
    return this.#poll("poll", pointer, count, timeout);
  }

  /** The same without waiting. */
  poll_nonblocking(pointer: number, count: number): number {
    return this.#poll("poll_nonblocking", pointer, count, 0);
  }

  #poll(name: string, pointer: number, count: number, timeout: number): number {
    const { memory, process, abi: { pollfd } } = this.state;
    const descriptors: number[] = [];
    let ready = 0;
    let asksHost = false;
    // The host sees its own descriptors, and ignores the others, which are negative; afterwards all are as they were.
    for (let index = 0; index < count; index++) {
      const at = pointer + index * pollfd.__size__;
      const fd = memory.i32(at + pollfd.fd);
      descriptors.push(fd);
      const entry = fd < 0 ? 0 : process.entry(fd);
      if (entry < 0) asksHost = true;
      else if (fd >= 0) ready++;
      memory.setI32(at + pollfd.fd, entry < 0 ? hostOf(entry) : -1);
    }
    const polled = asksHost
      ? name === "poll"
        ? this.callHost("poll", pointer, count, ready > 0 ? 0 : timeout)
        : this.callHost(name, pointer, count)
      : 0;
    let hostReady = 0;
    for (let index = 0; index < count; index++) {
      const at = pointer + index * pollfd.__size__;
      const fd = descriptors[index]!;
      const wasHost = memory.i32(at + pollfd.fd) >= 0;
      memory.setI32(at + pollfd.fd, fd);
      if (wasHost) {
        if (memory.i16(at + pollfd.revents) !== 0) hostReady++;
      } else if (fd < 0) memory.setI16(at + pollfd.revents, 0);
      else {
        const events = process.entry(fd) === 0 ? POLLNVAL : memory.i16(at + pollfd.events) & (POLLIN | POLLOUT);
        memory.setI16(at + pollfd.revents, events);
        if (events === 0) ready--;
      }
    }
    return polled < 0 ? polled : hostReady + ready;
  }
}
