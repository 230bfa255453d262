CREATE TABLE `delivery` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`stream_id` text NOT NULL,
	`kind` text NOT NULL,
	`from_time` integer NOT NULL,
	`to_time` integer NOT NULL,
	`points` integer NOT NULL,
	`window` blob,
	`status` text NOT NULL,
	`parts_done` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`finished_at` integer,
	FOREIGN KEY (`stream_id`) REFERENCES `metric_stream`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `delivery_by_id` ON `delivery` (`id`);--> statement-breakpoint
CREATE INDEX `delivery_of_stream` ON `delivery` (`stream_id`,`seq`);--> statement-breakpoint
CREATE INDEX `delivery_by_status` ON `delivery` (`stream_id`,`status`,`seq`);--> statement-breakpoint
CREATE TABLE `delivery_attempt` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`delivery_seq` integer NOT NULL,
	`at` integer NOT NULL,
	`duration_ms` integer NOT NULL,
	`status` integer,
	`error` text,
	`answer` text NOT NULL,
	FOREIGN KEY (`delivery_seq`) REFERENCES `delivery`(`seq`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `attempt_of_delivery` ON `delivery_attempt` (`delivery_seq`,`id`);--> statement-breakpoint
CREATE TABLE `metric_stream` (
	`id` text PRIMARY KEY NOT NULL,
	`project_id` text NOT NULL,
	`name` text NOT NULL,
	`status` text NOT NULL,
	`status_reason` text,
	`subscriptions` text NOT NULL,
	`destination_type` text NOT NULL,
	`configuration` text NOT NULL,
	`secrets` blob NOT NULL,
	`health` text DEFAULT 'ok' NOT NULL,
	`health_reason` text,
	`failures` integer DEFAULT 0 NOT NULL,
	`failing_since` integer,
	`version` integer DEFAULT 1 NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `stream_of_project` ON `metric_stream` (`project_id`);--> statement-breakpoint
CREATE TABLE `stream_state` (
	`stream_id` text NOT NULL,
	`kind` text NOT NULL,
	`state` blob NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`stream_id`, `kind`),
	FOREIGN KEY (`stream_id`) REFERENCES `metric_stream`(`id`) ON UPDATE no action ON DELETE cascade
);
