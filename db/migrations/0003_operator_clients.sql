PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_client` (
	`id` text PRIMARY KEY NOT NULL,
	`project_id` text,
	`name` text NOT NULL,
	`scope` text NOT NULL,
	`endpoints` text,
	`created_at` integer NOT NULL,
	`disabled_at` integer,
	`allow_basic` integer DEFAULT false NOT NULL,
	`jwks_url` text,
	`token_generation` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
INSERT INTO `__new_client`("id", "project_id", "name", "scope", "endpoints", "created_at", "disabled_at", "allow_basic", "jwks_url", "token_generation") SELECT "id", "project_id", "name", "scope", "endpoints", "created_at", "disabled_at", "allow_basic", "jwks_url", "token_generation" FROM `client`;--> statement-breakpoint
DROP TABLE `client`;--> statement-breakpoint
ALTER TABLE `__new_client` RENAME TO `client`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE INDEX `client_of_project` ON `client` (`project_id`);