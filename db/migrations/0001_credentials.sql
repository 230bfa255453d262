CREATE TABLE `audit_event` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`actor` text NOT NULL,
	`action` text NOT NULL,
	`object` text NOT NULL,
	`project_id` text,
	`ip` text
);
--> statement-breakpoint
CREATE INDEX `audit_of_project` ON `audit_event` (`project_id`,`id`);--> statement-breakpoint
CREATE TABLE `ban` (
	`client_id` text NOT NULL,
	`address` text NOT NULL,
	`created_at` integer NOT NULL,
	`ends_at` integer NOT NULL,
	PRIMARY KEY(`client_id`, `address`)
);
--> statement-breakpoint
CREATE TABLE `client_key` (
	`client_id` text NOT NULL,
	`kid` text NOT NULL,
	`jwk` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`client_id`, `kid`),
	FOREIGN KEY (`client_id`) REFERENCES `client`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `revoked_token` (
	`jti` text PRIMARY KEY NOT NULL,
	`client_id` text NOT NULL,
	`ends_at` integer NOT NULL,
	FOREIGN KEY (`client_id`) REFERENCES `client`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `revoked_token_of_client` ON `revoked_token` (`client_id`);--> statement-breakpoint
CREATE TABLE `scrape_token` (
	`id` text PRIMARY KEY NOT NULL,
	`client_id` text NOT NULL,
	`mac` blob NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`last_used_at` integer,
	`last_used_ip` text,
	`last_used_agent` text,
	FOREIGN KEY (`client_id`) REFERENCES `client`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `scrape_token_of_client` ON `scrape_token` (`client_id`);--> statement-breakpoint
CREATE TABLE `used_assertion` (
	`client_id` text NOT NULL,
	`jti` text NOT NULL,
	`ends_at` integer NOT NULL,
	PRIMARY KEY(`client_id`, `jti`)
);
--> statement-breakpoint
CREATE INDEX `assertion_by_end` ON `used_assertion` (`ends_at`);--> statement-breakpoint
ALTER TABLE `client` ADD `allow_basic` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `client` ADD `jwks_url` text;--> statement-breakpoint
ALTER TABLE `client` ADD `token_generation` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_secret` ADD `revoked_at` integer;--> statement-breakpoint
ALTER TABLE `client_secret` ADD `last_used_at` integer;--> statement-breakpoint
ALTER TABLE `client_secret` ADD `last_used_ip` text;--> statement-breakpoint
ALTER TABLE `client_secret` ADD `last_used_agent` text;--> statement-breakpoint
ALTER TABLE `signing_key` ADD `ends_at` integer;