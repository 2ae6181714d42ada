/** Something in an image that was put right. Plain data. */
export interface RootfsWarning {
  /**
   * Which rule: paths with `..` that would have left the root were clamped there; access control lists in a form that has
   * no numbers were dropped, and so were extended attributes outside the namespaces of Linux; times that ext4 cannot hold
   * became the nearest that it can; a layer was compressed otherwise than its media type says.
   */
  readonly code:
    | "ROOTFS_PATH_CLAMPED"
    | "TAR_ACL_DROPPED"
    | "ROOTFS_XATTR_DROPPED"
    | "ROOTFS_TIME_CLAMPED"
    | "ROOTFS_LAYER_MISLABELLED";
  /** One sentence for people. */
  readonly message: string;
  /** Digest of the layer, when it is about one. */
  readonly diffId?: string;
}
