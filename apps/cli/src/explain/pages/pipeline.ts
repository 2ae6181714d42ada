import type { CodePages } from "./page.ts";

/** Codes of `@box/pipeline`. */
export const pipelinePages: CodePages = {
  PIPELINE_MISSING_INPUT: {
    meaning:
      "A task ran before what it needs was there, such as a disk task before the file system task.",
    advice:
      "Add the task that makes it before this one; plans that are typed cannot have this fault.",
  },
  PIPELINE_MISSING_OUTPUT: {
    meaning: "A task ended without the value that it says it makes: a fault in the task.",
    advice: "Report it with the output of the same command and --log-level debug.",
  },
  PIPELINE_INVALID_PLAN: {
    meaning: "A plan has a name or a value twice, or tasks that wait for each other.",
    advice: "Correct the plan; the message names the tasks.",
  },
  PIPELINE_TASK_TIMEOUT: {
    meaning: "A task took longer than it may. What it had begun was put right.",
    advice: "Try again; if it is known to be slow, give it more time.",
  },
  PIPELINE_ABORTED: {
    meaning: "The run was stopped. What was half made is removed.",
    advice: "Run it again; finished steps are kept.",
  },
};
