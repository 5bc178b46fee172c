/**
 * What a program's core calls on nodes. All go by directory and name, or by the descriptor where the node is a stream's;
 * nothing that the core knows of a node is trusted.
 *
 * @module
 */
import { ANY_GENERATION, truncateInode } from "../../file/data.ts";
import { O_CREAT, O_EXCL, O_WRONLY } from "../../file/flags.ts";
import { listPlace } from "../../file/listing.ts";
import { change, changeDescriptor, type MetadataChange, stat, statDescriptor } from "../../file/metadata.ts";
import { close, open } from "../../file/open.ts";
import { rename } from "../../file/rename.ts";
import { surveySizes } from "../../file/survey.ts";
import { link, makeDirectory, makeSymlink, removeDirectory, unlink } from "../../file/tree.ts";
import { EBADF, EINVAL, EISDIR, ENOENT, ENOTDIR, EPERM } from "../../layout/errno.ts";
import { GRANULE_WORDS } from "../../layout/units.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../store/inodes.ts";
import type { FSAttributes, FSNode, FSStat, FSStatFs, Listing, NodeOps } from "./core.ts";
import type { LegacyMount } from "./mount.ts";
import { type Place, refuseName, within } from "./place.ts";

/** The calls on nodes, by what they are. */
export interface NodeOpsByType {
  readonly directory: NodeOps;
  readonly file: NodeOps;
  readonly link: NodeOps;
}

const BLOCK_BYTES = 4096;
const STAT_BLOCK_BYTES = 512;
const AT_SYMLINK_FOLLOW = 0x400;
/** How the root of a mount is named from itself. */
const SELF = ".";

/** Where a node's name is to be looked for. */
export function placeOf(node: FSNode): Place {
  return node.parent.place!;
}

/** The name of a node in its place. */
export function nameOf(node: FSNode): string {
  return node.parent === node ? SELF : node.name;
}

/** Makes the calls of a mount. */
export function nodeOps(mount: LegacyMount): NodeOpsByType {
  const { context, found } = mount;
  const { errors, calls, core } = mount.program;

  function run(place: Place, operation: () => number, second: Place = place): void {
    errors.check(within(context, place, second, operation));
  }

  /** The place of a directory; some cores ask for entries of what is none. */
  function directory(node: FSNode): Place {
    return node.place ?? errors.fail(-ENOTDIR);
  }

  function getattr(node: FSNode): FSStat {
    const descriptor = node.descriptor ?? -1;
    if (descriptor >= 0) errors.check(statDescriptor(context, descriptor, found));
    else run(placeOf(node), () => stat(context, nameOf(node), false, found));
    return {
      dev: mount.device,
      ino: found.ino,
      mode: found.mode,
      nlink: found.nlink,
      uid: found.uid,
      gid: found.gid,
      rdev: 0,
      size: found.size,
      atime: new Date(found.atimeMs),
      mtime: new Date(found.mtimeMs),
      ctime: new Date(found.ctimeMs),
      blksize: BLOCK_BYTES,
      blocks: Math.ceil(found.allocatedBytes / STAT_BLOCK_BYTES),
    };
  }

  function setattr(node: FSNode, attributes: FSAttributes): void {
    const call = calls.current;
    // The opening that is in progress creates with these permissions, and truncates.
    if (call?.created === node) return;
    if (attributes.size !== undefined) {
      if (call?.opens && attributes.size === 0) return;
      errors.check(setSize(node, attributes.size));
    }
    const changes = changesOf(node, attributes);
    if (changes === undefined) return;
    const descriptor = node.descriptor ?? -1;
    if (descriptor >= 0) errors.check(changeDescriptor(context, descriptor, changes));
    else run(placeOf(node), () => change(context, nameOf(node), false, changes));
    if (changes.permissions !== undefined) node.mode = (node.mode & S_IFMT) | changes.permissions;
  }

  function setSize(node: FSNode, size: number): number {
    if (!(size >= 0)) return -EINVAL;
    const file = node.descriptor === undefined ? undefined : context.descriptors.get(node.descriptor);
    if (file !== undefined) return truncateInode(context, file.inodeWord, ANY_GENERATION, size);
    for (;;) {
      const { walk } = context;
      const resolved = context.mayRead() || walk.resolve(nameOf(node), 0, placeOf(node));
      if (resolved !== 0) return resolved;
      if (walk.inodeWord === 0) return -ENOENT;
      const type = walk.mode & S_IFMT;
      if (type !== S_IFREG) return type === S_IFDIR ? -EISDIR : -EINVAL;
      const result = truncateInode(context, walk.inodeWord, walk.generation, size);
      if (result !== -EBADF) return result;
    }
  }

  /** What to change, in the words of the pool; undefined where there is nothing beyond the size. */
  function changesOf(node: FSNode, attributes: FSAttributes): MetadataChange | undefined {
    const { mode, atime, mtime, size, timestamp } = attributes;
    const changes: { permissions?: number; atimeMs?: number; mtimeMs?: number } = {};
    if (typeof mode === "number") changes.permissions = mode & 0o7777;
    if (atime !== undefined && atime !== null) changes.atimeMs = timeOf(atime);
    if (mtime !== undefined && mtime !== null) changes.mtimeMs = timeOf(mtime);
    // Cores whose nodes have but one time set both by it; later ones name it where only the change time is meant.
    if (timestamp !== undefined && mode === undefined && size === undefined && !("mtime" in node)) {
      changes.atimeMs = changes.mtimeMs = timeOf(timestamp);
    }
    return size !== undefined && Object.keys(changes).length === 0 ? undefined : changes;
  }

  function timeOf(value: number | Date): number {
    const ms = Number(value);
    return Number.isFinite(ms) ? ms : errors.fail(-EINVAL);
  }

  function mknod(parent: FSNode, name: string, mode: number): FSNode {
    const type = mode & S_IFMT;
    errors.check(type === S_IFDIR || type === S_IFREG ? refuseName(name) : -EPERM);
    const place = directory(parent);
    if (type === S_IFDIR) {
      run(place, () => makeDirectory(context, name, mode));
      return mount.nodeOf(parent, name);
    }
    const call = calls.current;
    if (call?.opens) return call.created = mount.makeNode(parent, name, mode, 0);
    run(place, () => {
      const descriptor = open(context, name, O_WRONLY | O_CREAT | O_EXCL, mode & 0o7777);
      return descriptor < 0 ? descriptor : close(context, descriptor);
    });
    return mount.nodeOf(parent, name);
  }

  function move(node: FSNode, newParent: FSNode, newName: string): void {
    const { name } = node;
    const place = placeOf(node);
    const newPlace = directory(newParent);
    mount.noteRenamed(node);
    errors.check(refuseName(name) || refuseName(newName));
    run(place, () => rename(context, name, newName), newPlace);
  }

  function readdir(node: FSNode): string[] {
    const place = directory(node);
    const names = [".", ".."];
    const entries = new Map<string, readonly [mode: number, ino: number]>();
    errors.check(listPlace(context, place, (name, type, word) => {
      names.push(name);
      entries.set(name, [type << 12, word / GRANULE_WORDS]);
    }));
    mount.lastListing = { word: place.word, entries };
    return names;
  }

  /** The core asks for each name that it tells a program of a directory; then they are what they were when it was listed. */
  function lookup(parent: FSNode, name: string): FSNode {
    if (parent.descriptor === undefined) return mount.lookUp(parent, name);
    const listed = parent.listing?.entries.get(name) ?? listedLast(parent)?.entries.get(name);
    const node = mount.makeNode(parent, name, listed?.[0] ?? S_IFREG, 0);
    node.id = listed?.[1] ?? parent.id;
    return node;
  }

  function listedLast(parent: FSNode): Listing | undefined {
    if (mount.lastListing?.word !== parent.place!.word) readdir(parent);
    return parent.listing = mount.lastListing;
  }

  function symlink(parent: FSNode, name: string, target: string): FSNode {
    errors.check(refuseName(name));
    run(directory(parent), () => makeSymlink(context, target, name));
    return mount.nodeOf(parent, name);
  }

  function hardLink(parent: FSNode, name: string, existing: string, flags = 0): void {
    errors.check(refuseName(name));
    const node = core.lookupPath(existing, { follow: (flags & AT_SYMLINK_FOLLOW) !== 0 }).node ?? errors.fail(-ENOENT);
    if (node.mount !== parent.mount) throw errors.elsewhere();
    run(placeOf(node), () => link(context, nameOf(node), name), directory(parent));
  }

  function readlink(node: FSNode): string {
    const { walk } = context;
    for (;;) {
      errors.check(context.mayRead() || walk.resolve(nameOf(node), 0, placeOf(node)));
      if (walk.inodeWord === 0) errors.fail(-ENOENT);
      if ((walk.mode & S_IFMT) !== S_IFLNK) errors.fail(-EINVAL);
      const target = walk.readLink();
      if (target !== undefined) return target;
    }
  }

  function statfs(): FSStatFs {
    errors.check(context.mayRead());
    return surveySizes(context);
  }

  const file: NodeOps = { getattr, setattr, statfs };
  return {
    file,
    link: { ...file, readlink },
    directory: {
      ...file,
      lookup,
      mknod,
      rename: move,
      unlink: (parent, name) => void errors.check(unlink(context, name, directory(parent))),
      rmdir: (parent, name) => void errors.check(removeDirectory(context, name, directory(parent))),
      readdir,
      symlink,
      link: hardLink,
    },
  };
}
