/** What a test file has begun is undone when it ends, last first, also when its tests failed. */
type Undo = () => void | Promise<void>;

const undos: Undo[] = [];

/** Registers work for the end of the test file; setup.ts runs it. */
export function atEnd(undo: Undo): void {
  undos.push(undo);
}

export async function undoAll(): Promise<void> {
  const failures: unknown[] = [];
  for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
    try {
      await undo();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'cleaning up after the test file failed');
}
