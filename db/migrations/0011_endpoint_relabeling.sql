ALTER TABLE `endpoint` ADD `dropped_metrics` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `endpoint` ADD `relabel_configs` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `endpoint` ADD `dropped_labels` text DEFAULT '[]' NOT NULL;