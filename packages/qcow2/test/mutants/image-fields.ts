/** A field of an image: a place where a mutation hurts. */
export interface ImageField {
  /** Which structure and field. */
  readonly name: string;
  /** First byte. */
  readonly offset: number;
  /** Length in bytes. */
  readonly bytes: 1 | 2 | 4 | 8;
}

const headerFields: readonly (readonly [string, number, 1 | 4 | 8])[] = [
  ["magic", 0, 4],
  ["version", 4, 4],
  ["backing_file_offset", 8, 8],
  ["backing_file_size", 16, 4],
  ["cluster_bits", 20, 4],
  ["size", 24, 8],
  ["crypt_method", 32, 4],
  ["l1_size", 36, 4],
  ["l1_table_offset", 40, 8],
  ["refcount_table_offset", 48, 8],
  ["refcount_table_clusters", 56, 4],
  ["nb_snapshots", 60, 4],
  ["snapshots_offset", 64, 8],
];

const version3Fields: typeof headerFields = [
  ["incompatible_features", 72, 8],
  ["compatible_features", 80, 8],
  ["autoclear_features", 88, 8],
  ["refcount_order", 96, 4],
  ["header_length", 100, 4],
  ["compression_type", 104, 1],
];

const offsetMask = 0x00ff_ffff_ffff_fe00n;

/** Lists the fields of a sound image: every structure, and of long tables the entries in use and a few empty ones. */
export function imageFields(image: Uint8Array): ImageField[] {
  return new FieldLister(image).list();
}

class FieldLister {
  readonly #view: DataView;
  readonly #fields: ImageField[] = [];
  readonly #clusterSize: number;
  readonly #version: number;
  readonly #entryBytes: 8 | 16;

  constructor(image: Uint8Array) {
    this.#view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    this.#clusterSize = 2 ** this.#view.getUint32(20);
    this.#version = this.#view.getUint32(4);
    const incompatible = this.#version === 3 ? this.#view.getBigUint64(72) : 0n;
    this.#entryBytes = (incompatible & 16n) === 0n ? 8 : 16;
  }

  list(): ImageField[] {
    for (const [name, offset, bytes] of headerFields) this.#add(`header.${name}`, offset, bytes);
    if (this.#version === 3) {
      for (const [name, offset, bytes] of version3Fields) {
        this.#add(`header.${name}`, offset, bytes);
      }
    }
    this.#extensions();
    this.#refcounts();
    this.#l1("l1", this.#u64(40), this.#view.getUint32(36));
    this.#snapshots();
    return this.#fields;
  }

  #add(name: string, offset: number, bytes: ImageField["bytes"]): void {
    if (offset + bytes <= this.#view.byteLength) this.#fields.push({ name, offset, bytes });
  }

  #u64(offset: number): number {
    return offset + 8 <= this.#view.byteLength ? Number(this.#view.getBigUint64(offset)) : 0;
  }

  #target(offset: number): number {
    return Number(this.#view.getBigUint64(offset) & offsetMask);
  }

  #extensions(): void {
    if (this.#version !== 3) return;
    for (let at = this.#view.getUint32(100); at + 8 <= this.#clusterSize; ) {
      const type = this.#view.getUint32(at);
      const length = this.#view.getUint32(at + 4);
      this.#add("extension.type", at, 4);
      this.#add("extension.length", at + 4, 4);
      if (type === 0) return;
      for (let inside = 0; inside < Math.min(length, 32); inside += 8) {
        this.#add(`extension.${type.toString(16)}.data`, at + 8 + inside, 8);
      }
      if (type === 0x23852875) this.#bitmaps(this.#u64(at + 24), this.#view.getUint32(at + 8));
      at += 8 + Math.ceil(length / 8) * 8;
    }
  }

  #refcounts(): void {
    const table = this.#u64(48);
    for (let index = 0; index < 6; index++) {
      const at = table + index * 8;
      this.#add("refcount-table.entry", at, 8);
      const block = this.#target(at);
      if (block === 0) continue;
      for (let inside = 0; inside < 160; inside += 2) this.#add("refcount", block + inside, 2);
    }
  }

  #l1(name: string, table: number, entries: number): void {
    for (let index = 0; index < Math.min(entries, 8); index++) {
      const at = table + index * 8;
      this.#add(`${name}.entry`, at, 8);
      const l2 = this.#target(at);
      if (l2 !== 0) this.#l2(name === "l1" ? "l2" : "snapshot-l2", l2);
    }
  }

  #l2(name: string, table: number): void {
    let empty = 0;
    for (let at = table; at < table + this.#clusterSize; at += this.#entryBytes) {
      const isEmpty = this.#view.getBigUint64(at) === 0n;
      if (isEmpty && empty++ >= 2) continue;
      this.#add(`${name}.entry`, at, 8);
      if (this.#entryBytes === 16) this.#add(`${name}.subclusters`, at + 8, 8);
    }
  }

  #snapshots(): void {
    let at = this.#u64(64);
    for (let left = this.#view.getUint32(60); left > 0; left--) {
      at = Math.ceil(at / 8) * 8;
      const names = ["l1_offset", "l1_size+id_len+name_len", "date", "vm_clock", "vm_state+extra"];
      for (const [index, name] of names.entries()) this.#add(`snapshot.${name}`, at + index * 8, 8);
      this.#add("snapshot.l1_size", at + 8, 4);
      this.#add("snapshot.id_len", at + 12, 2);
      this.#add("snapshot.name_len", at + 14, 2);
      this.#add("snapshot.extra_size", at + 36, 4);
      this.#add("snapshot.extra", at + 40, 8);
      this.#add("snapshot.disk_size", at + 48, 8);
      this.#l1("snapshot-l1", this.#u64(at), this.#view.getUint32(at + 8));
      const lengths = this.#view.getUint16(at + 12) + this.#view.getUint16(at + 14);
      at += 40 + this.#view.getUint32(at + 36) + lengths;
    }
  }

  #bitmaps(directory: number, count: number): void {
    let at = directory;
    for (let left = count; left > 0; left--) {
      this.#add("bitmap.table_offset", at, 8);
      this.#add("bitmap.table_size", at + 8, 4);
      this.#add("bitmap.flags", at + 12, 4);
      this.#add("bitmap.type", at + 16, 1);
      this.#add("bitmap.granularity_bits", at + 17, 1);
      this.#add("bitmap.name_size", at + 18, 2);
      this.#add("bitmap.extra_size", at + 20, 4);
      const table = this.#u64(at);
      for (let index = 0; index < Math.min(4, this.#view.getUint32(at + 8)); index++) {
        this.#add("bitmap-table.entry", table + index * 8, 8);
      }
      const rest = this.#view.getUint16(at + 18) + this.#view.getUint32(at + 20);
      at += Math.ceil((24 + rest) / 8) * 8;
    }
  }
}
