/** One instance of a service. */
export interface CatalogService {
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  readonly Port: number;
  readonly Tags: readonly string[];
  readonly AllocID: string;
  readonly JobID: string;
  readonly NodeID: string;
  readonly Datacenter: string;
  readonly Namespace: string;
}

/** The services that templates see. */
export interface ServiceCatalog {
  /** The names there are, each with the tags of all its instances. */
  services(namespace: string): readonly { readonly Name: string; readonly Tags: readonly string[] }[];
  service(namespace: string, name: string): readonly CatalogService[];
  /** Calls the listener after each change. Ends with the returned function. */
  subscribe(listener: () => void): () => void;
}
