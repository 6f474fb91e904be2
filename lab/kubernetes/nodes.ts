/** The nodes of the cluster. Their names are `node1` and `node2`. */
export const NODES = [1, 2] as const;
export type NodeNumber = typeof NODES[number];
