/**
 * Options of an LRU cache of at most so many entries. Given as lru-cache's own `max`, it would make room for all of them at
 * once: eleven milliseconds and megabytes for each hundred thousand, before the first has come.
 */
export const atMost = (entries: number) => ({ maxSize: entries, sizeCalculation: () => 1 });
