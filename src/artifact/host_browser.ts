/**
 * What a browser says of the machine and of itself: by client hints where it has them, else by its user-agent string, of
 * which only that counts which the browser does not make up. Imports names and types only.
 *
 * @module
 */
import { architectureName, operatingSystemName, UNKNOWN } from "./host_names.ts";
import type { HostEngine, Target } from "./types.ts";

/** A brand of `navigator.userAgentData`. */
export interface BrowserBrand {
  /** Such as `Chromium`, or the product's name. */
  readonly brand: string;
  /** The version: the major one among `brands`, the full one in `fullVersionList`. */
  readonly version: string;
}

/** What the page's browser may be asked for, and may refuse. */
export interface BrowserHints {
  /** Such as `x86` or `arm`. */
  readonly architecture?: string;
  /** `32` or `64`. */
  readonly bitness?: string;
  /** Such as `Linux` or `macOS`. */
  readonly platform?: string;
  /** Brands with their full versions. */
  readonly fullVersionList?: readonly BrowserBrand[];
}

/** The parts of `navigator` that are used; a worker's has them too. */
export interface BrowserNavigator {
  /** The user-agent string. */
  readonly userAgent?: string;
  /** Client hints: browsers of the Chromium family have them in secure contexts. */
  readonly userAgentData?: {
    readonly brands: readonly BrowserBrand[];
    readonly platform: string;
    getHighEntropyValues(hints: string[]): Promise<BrowserHints>;
  };
}

/**
 * Describes a browser.
 *
 * @param navigator The realm's `navigator`, if it has one.
 * @returns What is known; a page and its workers get the same.
 */
export async function describeBrowser(navigator: BrowserNavigator | undefined): Promise<Target> {
  const data = navigator?.userAgentData;
  const text = navigator?.userAgent ?? "";
  if (data === undefined) return describeUserAgent(text);
  // A permissions policy may forbid the question: then only what is told to everybody is known.
  const hints = await data.getHighEntropyValues(["architecture", "bitness", "platform", "fullVersionList"])
    .catch((): BrowserHints => ({}));
  const engine = chromiumEngine(hints.fullVersionList) ?? chromiumEngine(data.brands);
  return {
    architecture: hintedArchitecture(hints),
    operatingSystem: operatingSystemName(hints.platform || data.platform),
    engine: engine ?? describeUserAgent(text).engine,
  };
}

/**
 * Chromium does not tell which V8 it has: its own version stands for it, as each Chromium has one.
 */
function chromiumEngine(brands: readonly BrowserBrand[] | undefined): HostEngine | undefined {
  const version = brands?.find(({ brand }) => brand === "Chromium")?.version;
  return version === undefined ? undefined : { name: "v8", version };
}

/** The family and the width of the processor as one name; either alone says too little. */
function hintedArchitecture({ architecture, bitness }: BrowserHints): string {
  if (!architecture || (bitness !== "32" && bitness !== "64")) return UNKNOWN;
  const wide = bitness === "64";
  switch (architecture) {
    case "x86":
      return wide ? "x86_64" : "i686";
    case "arm":
      return wide ? "aarch64" : "arm";
    default:
      return architectureName(architecture);
  }
}

function describeUserAgent(text: string): Target {
  const engine = engineOf(text);
  return { architecture: architectureOf(text, engine), operatingSystem: operatingSystemOf(text, engine), engine };
}

/** Names of engines stand in each other's strings, for compatibility: the order of the questions matters. */
function engineOf(text: string): HostEngine {
  // The Edge before Chromium's had an engine of its own, which ran no module that this library makes.
  if (/\b(?:Edge|Trident)\//.test(text)) return { name: UNKNOWN, version: "" };
  const chromium = /\b(?:HeadlessChrome|Chrome|Chromium)\/([\d.]+)/.exec(text);
  if (chromium) {
    // Behind the major version Chromium has zeros in the place of the true numbers.
    return { name: "v8", version: chromium[1].replace(/(?:\.0)+$/, "") };
  }
  if (/\bGecko\/\d/.test(text)) {
    return { name: "spidermonkey", version: /\bFirefox\/(\d[\d.]*)/.exec(text)?.[1] ?? "" };
  }
  if (/\bAppleWebKit\//.test(text)) {
    // All browsers of iOS have Safari's engine, but tell their own version. WebKit's (605.1.15) is the same for years.
    return { name: "javascriptcore", version: /\bVersion\/(\d[\d.]*)/.exec(text)?.[1] ?? "" };
  }
  return { name: UNKNOWN, version: "" };
}

const OPERATING_SYSTEM_PATTERNS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\b(?:iPhone|iPad|iPod)\b/, "ios"],
  [/\bAndroid\b/, "android"],
  [/\bWindows NT\b/, "windows"],
  [/\bCrOS\b/, "chromeos"],
  [/\bMacintosh\b/, "darwin"],
  [/\bFreeBSD\b/, "freebsd"],
  [/\bOpenBSD\b/, "openbsd"],
  [/\bNetBSD\b/, "netbsd"],
  [/\bLinux\b/, "linux"],
];

function operatingSystemOf(text: string, engine: HostEngine): string {
  const name = OPERATING_SYSTEM_PATTERNS.find(([pattern]) => pattern.test(text))?.[1] ?? UNKNOWN;
  // An iPad's browsers say that they run on a Mac; touch points would tell, but a worker cannot ask for them.
  return name === "darwin" && engine.name === "javascriptcore" ? UNKNOWN : name;
}

/**
 * Only Firefox on Unix tells its processor, as `uname` does. All others say the same whatever it is: `Intel Mac OS X` on
 * ARM, `Win64; x64` on ARM (Firefox too), `Linux x86_64` in each Chromium and WebKitGTK. Firefox as well says
 * `Linux x86_64` where it resists fingerprinting, so that these words tell nothing even from Firefox.
 */
function architectureOf(text: string, engine: HostEngine): string {
  if (engine.name !== "spidermonkey") return UNKNOWN;
  const machine = /\b(?:Linux|FreeBSD|OpenBSD|NetBSD) (\w+)/.exec(text)?.[1];
  return machine === "x86_64" ? UNKNOWN : architectureName(machine);
}
