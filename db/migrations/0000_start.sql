CREATE TABLE `change` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`noun` text NOT NULL,
	`id` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `client` (
	`id` text PRIMARY KEY NOT NULL,
	`project_id` text NOT NULL,
	`name` text NOT NULL,
	`scope` text NOT NULL,
	`endpoints` text,
	`created_at` integer NOT NULL,
	`disabled_at` integer,
	FOREIGN KEY (`project_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `client_of_project` ON `client` (`project_id`);--> statement-breakpoint
CREATE TABLE `client_secret` (
	`id` text PRIMARY KEY NOT NULL,
	`client_id` text NOT NULL,
	`mac` blob NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	FOREIGN KEY (`client_id`) REFERENCES `client`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `secret_of_client` ON `client_secret` (`client_id`);--> statement-breakpoint
CREATE TABLE `endpoint` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` text NOT NULL,
	`metrics_id` text NOT NULL,
	`name` text NOT NULL,
	`lifetime_ms` integer NOT NULL,
	`timestamps` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `endpoint_of_project` ON `endpoint` (`project_id`,`metrics_id`);--> statement-breakpoint
CREATE TABLE `issuer` (
	`url` text PRIMARY KEY NOT NULL,
	`last_used_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `meta` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `project` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`created_at` integer NOT NULL,
	`limits` text DEFAULT '{}' NOT NULL
);
--> statement-breakpoint
CREATE TABLE `push_group` (
	`endpoint_id` integer NOT NULL,
	`key` text NOT NULL,
	`labels` text NOT NULL,
	`families` text NOT NULL,
	`samples` blob NOT NULL,
	`series` integer NOT NULL,
	`pushed_at` integer NOT NULL,
	`expires_at` integer,
	`version` integer NOT NULL,
	PRIMARY KEY(`endpoint_id`, `key`),
	FOREIGN KEY (`endpoint_id`) REFERENCES `endpoint`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `group_by_expiry` ON `push_group` (`expires_at`);--> statement-breakpoint
CREATE INDEX `group_by_version` ON `push_group` (`version`);--> statement-breakpoint
CREATE TABLE `signing_key` (
	`kid` text PRIMARY KEY NOT NULL,
	`alg` text NOT NULL,
	`state` text NOT NULL,
	`public_jwk` text NOT NULL,
	`private_jwk` blob NOT NULL,
	`created_at` integer NOT NULL
);
