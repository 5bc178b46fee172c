/**
 * Paths as text: what can be told of them without looking at the tree.
 *
 * @module
 */

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/** Puts a name behind the path of a directory. */
export function join(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

/** The path of the directory that holds what a path names; empty where the path is a name alone, `/` of the root. */
export function parentOf(path: string): string {
  const text = withoutTrailingSlash(path);
  if (text !== path && text !== "/") return text;
  const slash = text.lastIndexOf("/");
  if (slash < 0) return "";
  return withoutTrailingSlash(text.slice(0, slash)) || "/";
}

/** A path without slashes at its end; those of the root stay one. */
export function withoutTrailingSlash(path: string): string {
  let end = path.length;
  while (end > 1 && path.charCodeAt(end - 1) === 47) end--;
  return path.slice(0, end);
}

/** The last component of a path; empty where there is none. */
export function lastNameOf(path: string): string {
  const text = withoutTrailingSlash(path);
  return text.slice(text.lastIndexOf("/") + 1);
}

/**
 * The names on the way to a path, with `.` and `..` resolved by text alone.
 *
 * @param from names on the way to the directory where a relative path starts
 */
export function namesOf(path: string, from: readonly string[] = []): string[] {
  const names = path.startsWith("/") ? [] : [...from];
  for (const part of path.split("/")) {
    if (part === "..") names.pop();
    else if (part !== "" && part !== ".") names.push(part);
  }
  return names;
}

/** The shortest text of a path, as `path.posix.normalize` has it, without a slash at the end. */
export function normalize(path: string): string {
  if (path.startsWith("/")) return `/${namesOf(path).join("/")}`;
  const names: string[] = [];
  for (const part of path.split("/")) {
    if (part === ".." && names.length > 0 && names[names.length - 1] !== "..") names.pop();
    else if (part !== "" && part !== ".") names.push(part);
  }
  return names.join("/") || ".";
}

/** Six random letters and digits. */
export function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(6)), (value) => LETTERS[value % LETTERS.length]).join("");
}
