// What several components ask of the page that they stand in.

import { onBeforeUnmount, onMounted, ref } from "vue";

/** `2 swaps`, `1 swap`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** False until JavaScript runs. */
export function useIsLive() {
  const isLive = ref(false);
  onMounted(() => {
    isLive.value = true;
  });
  return isLive;
}

/** Whether the reader has asked for less motion. */
export function useReducedMotion() {
  const isReduced = ref(false);
  let query: MediaQueryList | undefined;
  const read = () => {
    isReduced.value = query?.matches === true;
  };
  onMounted(() => {
    query = window.matchMedia("(prefers-reduced-motion: reduce)");
    query.addEventListener("change", read);
    read();
  });
  onBeforeUnmount(() => query?.removeEventListener("change", read));
  return isReduced;
}
