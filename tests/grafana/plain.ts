// Grafana's types, as JSON can say them: a member of a string enum is there as its text.
import type { AnnotationQuery, Dashboard, GraphFieldConfig } from "@grafana/schema";

type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

// What a mark asks is up to the plugin of its data source.
type Mark = Omit<Plain<AnnotationQuery>, "target"> & { target: Record<string, unknown> };

export type Board = Omit<Plain<Dashboard>, "annotations"> & { annotations: { list: Mark[] } };
export type Curve = Plain<GraphFieldConfig>;
