// Makes the image of Debian that tests of boxes run, once and before the tests, which then need no network. Never fails: tests without
// it are skipped, and CI refuses skips.
import { debianImage, findDebianImage } from "./debian-image.ts";

if ((await findDebianImage()) === undefined) {
  console.log("making an image of Debian for the tests");
  try {
    await debianImage();
  } catch (error) {
    console.log(`tests of Debian are skipped: ${error instanceof Error ? error.message : error}`);
  }
}
