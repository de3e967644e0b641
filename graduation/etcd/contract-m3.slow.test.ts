// The contract of m3 against control planes on etcd: the API, access to it, and links. Left out are the cases that edit,
// restore or lock the file store's files, that count its revisions from 1, or that are about the router alone.

import { afterAll, beforeAll, describe } from "vitest";
import { describeApi } from "../../shared/contract/m3/api.ts";
import { describeApiAccess } from "../../shared/contract/m3/api-access.ts";
import { usePushContract } from "../../shared/contract/m3/contract.ts";
import { describeLinks } from "../../shared/contract/m3/links.ts";
import { type PushTarget, stagePushTarget, startControlPlaneAt } from "../../shared/contract/m3/target.ts";
import { engineVersion } from "../topic.ts";
import { type EtcdCluster, startEtcd } from "./cluster.ts";

const main = new URL("control-plane.ts", import.meta.url);

describe.skipIf(engineVersion("etcd") === undefined)("m3 contract, on etcd", { timeout: 180_000 }, () => {
  let etcd: EtcdCluster;
  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd?.[Symbol.asyncDispose]());

  const target: PushTarget = {
    startRouter: stagePushTarget("m4").startRouter,
    // What a folder is to the file store: the same one again is the same store.
    startControlPlane: (options) =>
      startControlPlaneAt(main, options, {
        STORE: "etcd",
        ETCD_ENDPOINTS: etcd.endpoints.join(),
        ETCD_PREFIX: `${options.stateDir}/`,
      }),
  };
  const contract = usePushContract(target);
  describeApi(contract);
  describeApiAccess(contract);
  describeLinks(contract);
});
