/**
 * What each phase of a build adds to the image, whatever it was cut into. Pure.
 *
 *     uppers of a phase ──put over each other──▶ one upper ──beside what lies below──▶ members, markers
 *                                                    └─ of a phase that cleans: goes out of those below
 *
 * A layer says no more than it has to: a whiteout or a directory that hides the one below only stays where there is
 * something below. The kernel leaves more behind, and what depends on where a phase was cut, on where the upper lay,
 * and on whether it belongs to root: with an index it marks each new directory in one that lies below as opaque.
 * Source: ovl_create_upper in Linux, fs/overlayfs/dir.c.
 */

/** `opaque`: a directory of which nothing below shows. `whiteout`: what lies below is gone. */
export type UpperKind = 'directory' | 'opaque' | 'whiteout' | 'other';

export interface UpperEntry {
  /** From the top, without a slash at its ends; empty for the top. Bytes as latin1. */
  readonly path: string;
  readonly kind: UpperKind;
}

/** The upper directory of an overlay, parents before what is in them. */
export interface Upper {
  /** Absolute. */
  readonly directory: string;
  readonly entries: readonly UpperEntry[];
}

/** What a phase has left. */
export interface PhaseUppers {
  /** Lowest first. */
  readonly uppers: readonly Upper[];
  /** What it removes or replaces was left over from building: it is in no layer below, either. */
  readonly cleans: boolean;
}

/** A path of the archive, and the upper that it is read from. */
export interface Member {
  readonly directory: string;
  readonly path: string;
}

export interface LayerMembers {
  /** In the order that GNU tar has by name: the top first, each directory followed by what is in it. */
  readonly members: readonly Member[];
  /** Paths of directories that hide what lower layers have in them. */
  readonly hiding: ReadonlySet<string>;
}

interface Node {
  readonly kind: Exclude<UpperKind, 'opaque'>;
  readonly directory: string;
  /** Nothing that lies below at this path shows. */
  readonly hides: boolean;
  readonly children: Map<string, Node>;
}

/** The members of each phase; lowest first, as `phases`. */
export function membersOf(phases: readonly PhaseUppers[]): readonly LayerMembers[] {
  const layers: Node[] = [];
  for (const { uppers, cleans } of phases) {
    const layer = oneOf(uppers);
    for (const lower of cleans ? layers : []) {
      clean(lower, layer);
    }
    layers.push(layer);
  }
  let below: Node | undefined;
  return layers.map((layer) => {
    const found = [...placesIn({ node: layer, below, path: '' })];
    below = seenThrough(below, layer);
    return {
      members: found.map(({ node, path }) => ({ directory: node.directory, path })),
      hiding: new Set(found.filter(isHiding).map(({ path }) => path)),
    };
  });
}

/** A path, in the layer and below it. */
interface Place {
  readonly node: Node;
  /** What shows there without the layer. */
  readonly below: Node | undefined;
  readonly path: string;
}

/** This place and all in it, less what is said of nothing. */
function* placesIn(place: Place): Generator<Place> {
  const { node, below, path } = place;
  if (node.kind === 'whiteout' && below === undefined) {
    return;
  }
  yield place;
  const inside = [...node.children].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, child] of inside) {
    yield* placesIn({
      node: child,
      below: node.hides ? undefined : below?.children.get(name),
      path: path === '' ? name : `${path}/${name}`,
    });
  }
}

/** Whether it is a directory in place of one that has something in it. */
function isHiding({ node, below }: Place): boolean {
  return node.kind === 'directory' && node.hides && (below?.children.size ?? 0) > 0;
}

/** The uppers of one phase as the one that they would have been. */
function oneOf(uppers: readonly Upper[]): Node {
  let top: Node = { kind: 'directory', directory: '', hides: false, children: new Map() };
  for (const { directory, entries } of uppers) {
    top = { ...top, directory };
    for (const { path, kind } of entries.filter((entry) => entry.path !== '')) {
      const slash = path.lastIndexOf('/');
      const siblings = slash === -1 ? top.children : childrenAt(top, path.slice(0, slash));
      const name = path.slice(slash + 1);
      siblings.set(name, over(siblings.get(name), kind, directory));
    }
  }
  return top;
}

function childrenAt(top: Node, path: string): Map<string, Node> {
  let node: Node | undefined = top;
  for (const name of path.split('/')) {
    node = node?.children.get(name);
  }
  if (node === undefined) {
    throw new Error(`A layer has something in '${path}', and not that itself`);
  }
  return node.children;
}

/** What an entry makes of what another upper of the phase has at the same path. */
function over(before: Node | undefined, kind: UpperKind, directory: string): Node {
  if (kind === 'directory' && before?.kind === 'directory') {
    return { ...before, directory };
  }
  return {
    kind: kind === 'opaque' ? 'directory' : kind,
    directory,
    hides: kind !== 'directory' || before !== undefined,
    children: new Map(),
  };
}

/** What shows of a tree with a layer over it; neither is changed. */
function seenThrough(below: Node | undefined, layer: Node): Node {
  const shows = layer.hides ? undefined : below;
  const children = new Map(shows?.children);
  for (const [name, node] of layer.children) {
    if (node.kind === 'whiteout') {
      children.delete(name);
    } else {
      children.set(name, seenThrough(children.get(name), node));
    }
  }
  return { ...layer, children };
}

/** Takes out of a lower layer, in place, what another one hides. */
function clean(lower: Node, layer: Node): void {
  for (const [name, node] of layer.children) {
    const found = lower.children.get(name);
    if (node.hides && node.kind === 'directory' && found?.kind === 'directory') {
      found.children.clear();
    } else if (node.hides) {
      lower.children.delete(name);
    } else if (found?.kind === 'directory') {
      clean(found, node);
    }
  }
}
