/** The part of the protocol that is about limits (protocol.ts). */

/** A control group for the RUN, in cgroup v2 or v1. Negative numbers: unlimited. */
export interface CgroupSpec {
  /** From the root of the hierarchy, or a systemd slice; default: the helper's own. */
  readonly parent?: string | undefined;
  /** Bytes; with swap included. */
  readonly memory?: number | undefined;
  readonly memorySwap?: number | undefined;
  /** 2 to 262144; the usual is 1024. */
  readonly cpuShares?: number | undefined;
  /** Microseconds of processor time in each period, and the period. */
  readonly cpuQuota?: number | undefined;
  readonly cpuPeriod?: number | undefined;
  /** `0-2,4` */
  readonly cpusetCpus?: string | undefined;
  readonly cpusetMems?: string | undefined;
  readonly pids?: number | undefined;
}

/** Which of these limits cannot be set here? */
export interface LimitsRequest {
  readonly verb: 'limits';
  readonly cgroup: CgroupSpec;
}

export interface LimitsReply {
  readonly refused: readonly {
    /** Or the limit, as its flag is called. */
    readonly controller: string;
    readonly reason: string;
  }[];
}
