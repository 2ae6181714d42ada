/** What `box explain` says about a code. */
export interface CodePage {
  /** What happened and why box stops there, in a sentence or two. */
  readonly meaning: string;
  /** What a person can do about it. */
  readonly advice: string;
}

/** Pages by code. */
export type CodePages = Readonly<Record<string, CodePage>>;
