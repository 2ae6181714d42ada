// The program that looks after one machine; its starter talks to it by its input and output.
import { runSupervisor } from "./run-supervisor.ts";

void runSupervisor(process);
