import { statfsSync } from "node:fs";
import { UnusableFile } from "./schema.ts";

/** What statfs calls them on Linux. Their locks and shared memory do not reach every machine, which breaks a WAL file. */
const networkTypes: Readonly<Record<number, string>> = {
  [0x6969]: "NFS",
  [0x517b]: "SMB",
  [0xff534d42]: "CIFS",
  [0xfe534d42]: "SMB",
  [0x5346414f]: "AFS",
  [0x6b414653]: "AFS",
  [0x00c36400]: "Ceph",
  [0x01021997]: "9p",
  [0x0bd00bd0]: "Lustre",
  [0x47504653]: "GPFS",
};
const fuse = 0x65735546;

/**
 * Refuses a folder on a network file system, and gives a warning for one that may be.
 *
 * @throws UnusableFile
 */
export function checkFileSystem(folder: string): string | undefined {
  if (process.platform === "win32" && folder.startsWith("\\\\")) {
    throw new UnusableFile("it is on a network share, where SQLite loses data. Choose a local disk.");
  }
  if (process.platform !== "linux") return undefined;
  const type = statfsSync(folder).type >>> 0;
  const name = networkTypes[type];
  if (name !== undefined) {
    throw new UnusableFile(`it is on a ${name} file system, where SQLite loses data. Choose a local disk.`);
  }
  if (type !== fuse) return undefined;
  return `${folder} is on a FUSE file system. If that reaches over a network, SQLite loses data there: choose a local disk.`;
}
